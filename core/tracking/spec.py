"""Which trackers follow a run."""

from typing import Annotated, Literal, TypeAlias

from pydantic import Field, field_validator

from core.recipe import Part


class SwanLab(Part):
    """SwanLab; its key is in SWANLAB_API_KEY."""

    type: Literal["swanlab"] = "swanlab"
    mode: Literal["local", "offline", "cloud", "disabled"] = "offline"
    """`offline` writes files for a later `swanlab sync`, `local` also a board for `swanlab watch` (needs swanboard)."""
    workspace: str | None = None
    """Organisation that owns the project; null is the key's own."""


class Wandb(Part):
    """Weights & Biases; its key is in WANDB_API_KEY."""

    type: Literal["wandb"] = "wandb"
    mode: Literal["offline", "online", "disabled"] = "offline"
    """`offline` writes files for a later `wandb sync`."""
    entity: str | None = None
    """User or team that owns the project; null is the key's own."""


class TensorBoard(Part):
    """Event files for `tensorboard --logdir`."""

    type: Literal["tensorboard"] = "tensorboard"


Backend: TypeAlias = Annotated[SwanLab | Wandb | TensorBoard, Field(discriminator="type")]


class Tracking(Part):
    """Followers of a run; none of them changes what is made, so a recipe marks this part `Neutral()`."""

    name: str | None = Field(default=None, min_length=1)
    """The run's name on a board; null takes the run's id."""
    project: str = Field(default="dr", pattern=r"^[0-9a-zA-Z_.+-]{1,100}$")
    """Project on a board that the run belongs to: letters, digits and `_ - + .`, at most 100."""
    backends: tuple[Backend, ...] = ()
    """Trackers beside the local record (`metrics.jsonl` and `plots/`), which is always kept; each kind once."""

    @field_validator("backends")
    @classmethod
    def _each_once(cls, backends: tuple[Backend, ...]) -> tuple[Backend, ...]:
        if len({backend.type for backend in backends}) < len(backends):
            raise ValueError("each tracker can be given once")
        return backends
