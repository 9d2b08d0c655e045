"""How a training is run, saved and watched."""

from typing import Annotated, Literal

from pydantic import Field, NonNegativeInt, PositiveInt

from core.recipe import Neutral, Part


class Checkpoints(Part):
    """When the training is saved and measured, and what is kept."""

    save_every: PositiveInt | None = None
    """Steps between two checkpoints; one more at the end. null: one at the end of each epoch."""
    eval_every: PositiveInt | None = None
    """Steps between two measurements on what is held out; each checkpoint is measured, too. null: those alone."""
    keep: PositiveInt | None = 3
    """Newest checkpoints that are kept, and the best one besides. null: all."""
    select_by: Literal["val_loss", "ndcg@10"] = "val_loss"
    """What makes a checkpoint the best: the lowest loss, or the highest nDCG@10, on what is held out."""
    patience: PositiveInt | None = None
    """Measurements without a better `select_by` after which training stops. null: it goes on to the end."""


class Machine(Part):
    """What is computed where. More processes make the global batch larger, as with torchrun."""

    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    """Where the model is trained; auto takes a GPU where there is one."""
    precision: Literal["fp32", "bf16"] = "fp32"
    """Numbers that activations are computed in (autocast); weights stay in 32 bits."""
    gradient_checkpointing: bool = False
    """Compute activations a second time instead of keeping them: less memory, about a third more time."""
    processes: PositiveInt | None = None
    """Copies of the model that share the work (torchrun). null: one for each GPU, one without."""
    deepspeed: Literal["zero2"] | None = None
    """Share optimiser state and gradients among processes (DeepSpeed, which must be installed). null: each has all."""
    workers: Annotated[NonNegativeInt, Neutral()] = 0
    """Processes that tokenise ahead of the training; 0: it does so itself."""


class Canary(Part):
    """Stops a training that ruins the model."""

    below: Annotated[float, Field(gt=0, lt=1)] = 0.5
    """Stop when nDCG@10 on what is held out falls below this share of what it was before the first step, if that was
    0.05 or more."""
