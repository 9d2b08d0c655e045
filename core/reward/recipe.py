"""A reward in a file of its own: `dr reward test` tries it, `dr reward replay` holds saved rollouts against it."""

from pathlib import Path
from typing import Literal

from core.recipe import BaseRecipe
from core.reward.spec import Reward


class Recipe(BaseRecipe, Reward):
    """A reward; it makes nothing."""

    stage: Literal["reward"]

    def source_files(self) -> dict[str, Path]:
        """The user's files, the judges' templates among them."""
        return super().source_files() | self.prompt_folders()
