"""What `dr rl export` and `dr sft export` can be told."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, PositiveInt

from core.recipe import ArtifactRecipe, From, Neutral


class Recipe(ArtifactRecipe):
    """Make a Hugging Face directory of a checkpoint."""

    stage: Literal["export"]
    checkpoint: Annotated[str, From("sft", "rl", or_name=True), Field(min_length=1)]
    """Artifact of `dr sft train` or `dr rl train`, its unfinished folder (`.partial`), or one checkpoint: a folder of
    verl (`global_step_20`), of TRL (`checkpoint-20`), of an adapter, or of a whole model."""
    step: PositiveInt | None = None
    """Which checkpoint of a training. null: its result, or while it is not finished, the best so far."""
    base: Annotated[str | None, From("sft", "rl", "export", or_name=True)] = None
    """Model that an adapter is merged into: artifact, folder or name. null: the one that it was trained on."""
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    """Number format of the weights that are written. `auto`: as merging leaves them, for a whole model as they are."""
    python: Annotated[Path, Neutral()] = Path(".venv-verl/bin/python")
    """Interpreter in which verl is installed; only verl's checkpoints need it."""
    question: str = "What can you do? Answer in one sentence."
    """What the model is asked when it is whole; its answer is kept."""
    max_tokens: PositiveInt = 64
    """Tokens of that answer at most."""

    def source_files(self) -> dict[str, Path]:
        """Of an unfinished training only the checkpoint that is exported: its others come and go."""
        from core.rl.export.find import find

        is_artifact = any(item.name == "checkpoint" for item in self.inputs())
        own = {} if is_artifact else {"checkpoint": find(self.checkpoint, self.step).folder}
        return super().source_files() | own
