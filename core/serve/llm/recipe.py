"""What `dr serve llm` can be told."""

from pathlib import Path
from typing import Literal

from core.llm.spec import Served
from core.recipe import BaseRecipe


class Recipe(Served, BaseRecipe):
    """Serve a language model over the OpenAI protocol."""

    stage: Literal["llm"]
    log_path: Path = Path("logs/llm.log")
    """File that what the engine prints is added to."""
