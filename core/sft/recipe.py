"""What a recipe of `dr sft train` says."""

from typing import Annotated, Literal, Self

from pydantic import NonNegativeFloat, PositiveFloat, PositiveInt, model_validator

from core.recipe import ArtifactRecipe, Neutral
from core.tracking.spec import Tracking
from core.tuning.spec import Checkpoints, Model, Rows, Schedule, Trainer, Trl


class Recipe(ArtifactRecipe):
    """Fine-tune a language model on conversations."""

    resumes = True  # from its newest checkpoint

    stage: Literal["sft"]
    """Always `sft`."""
    model: Model
    """The model to train."""
    data: Rows
    """What it learns from: SFT rows."""
    max_length: PositiveInt = 2048
    """Tokens of a conversation."""
    truncation: Literal["right", "error"] = "right"
    """A longer one: `right` cuts its end, counted; `error` ends the run before its first step."""
    epochs: PositiveInt = 2
    """Passes over the rows."""
    steps: PositiveInt | None = None
    """Steps at most. null: `epochs` says it."""
    batch_size: PositiveInt = 64
    """Conversations of a step, over all GPUs."""
    learning_rate: PositiveFloat = 1e-4
    """Of AdamW at its highest; source B trains adapters by 1e-4."""
    schedule: Schedule = Schedule(warm_up=0.03, decay="cosine")
    """How the learning rate goes."""
    weight_decay: NonNegativeFloat = 0.01
    """Of AdamW."""
    max_grad_norm: PositiveFloat = 1.0
    """A longer gradient is cut to this length."""
    liger: bool | None = None
    """Liger's fused kernels, which need a GPU. null: where the package is installed."""
    checkpoints: Checkpoints = Checkpoints()
    """When it is saved and measured; the best has the lowest loss on what is held out."""
    trainer: Trainer = Trl()
    """Who computes."""
    log_every: Annotated[PositiveInt, Neutral()] = 10
    """Steps between two values in the log."""
    tracking: Annotated[Tracking, Neutral()] = Tracking()
    """Who follows the training."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.trainer.type == "verl" and self.model.type == "new" and self.trainer.device != "cpu":
            raise ValueError("a model from nothing is for a CPU: `trainer.device: cpu`, or name a pretrained model")
        return self
