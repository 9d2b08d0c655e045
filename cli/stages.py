"""Which modules serve which stage. The one table behind the commands, `dr run` and `dr recipe`."""

from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from core.errors import RecipeError


@dataclass(frozen=True)
class Stage:
    """A stage by its own word."""

    name: str
    verb: str
    """Module of `core.<name>` with `run(recipe, work)`, or `run(recipe)` when the stage only answers."""
    answers: bool = False
    """Whether it runs until stopped instead of making an artifact."""

    def recipe_model(self) -> Any:
        """The pydantic model of its recipes."""
        return import_module(f"core.{self.name}.recipe").Recipe

    def module(self) -> Any:
        """The module that does the work; imports what the work needs."""
        return import_module(f"core.{self.name}.{self.verb}")


STAGES = {
    stage.name: stage
    for stage in (
        Stage("data", "build"),
        Stage("embed", "train"),
        Stage("index", "build"),
        Stage("eval", "score"),
        Stage("serve", "app", answers=True),
    )
}


def stage_of(path: Path) -> Stage:
    """The stage that a recipe file is for.

    Raises:
        RecipeError: it names none of ours.
    """
    from core.recipe import load_stage

    name = load_stage(path)
    if name not in STAGES:
        raise RecipeError(f"there is no stage `{name}`", where=str(path), hint=f"there are {', '.join(STAGES)}")
    return STAGES[name]
