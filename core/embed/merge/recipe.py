"""What `dr embed merge` can be told."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import PositiveInt

from core.recipe import ArtifactRecipe, From, Neutral


class Recipe(ArtifactRecipe):
    """Put a trained adapter into its base: one complete model."""

    stage: Literal["merge"]
    """Always `merge`."""
    adapter: Annotated[Path, From("embed")]
    """Artifact of `dr embed train` whose model is an adapter."""
    checkpoint: str | None = None
    """Which of its checkpoints: the name of a folder in `checkpoints/`. null: the model it chose as its best."""
    precision: Literal["fp32", "bf16"] = "fp32"
    """Numbers that the weights are stored in; bf16 halves the folder. They are added up in 32 bits."""
    probes: Annotated[PositiveInt, Neutral()] = 100
    """Texts on which the merged model must agree with the adapter: the first ones of `held_out.jsonl`."""
