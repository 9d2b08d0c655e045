"""What a recipe of `dr embed train` says. Its parts lie beside the code that they are for."""

from typing import Annotated, Literal

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt, model_validator

from core.embed.fit.spec import Canary, Checkpoints, Machine
from core.embed.losses.spec import AnyLoss, InfoNce
from core.embed.models.spec import Model, Pretrained, Static
from core.embed.proof.spec import Proof
from core.embed.rows.spec import Rows
from core.recipe import ArtifactRecipe, Neutral
from core.tracking.spec import Tracking

WITH_NEGATIVES = {"mined", "examples"}
FIT = {
    "infonce": {"documents", "judged", *WITH_NEGATIVES},
    "weighted_mse": {"graded", "judged"},
    "margin_mse": WITH_NEGATIVES,
    "kl": WITH_NEGATIVES,
}
"""Loss -> training rows that have what it needs."""
NEEDS = {
    "infonce": "graded pairs do not say which document answers; take weighted_mse",
    "weighted_mse": "it needs labels; take graded pairs, or the grades of judged queries",
    "margin_mse": "it needs negatives; take mined or examples",
    "kl": "it needs negatives; take mined or examples",
}


class Recipe(ArtifactRecipe):
    """Train an embedding model."""

    resumes = True  # from its newest checkpoint

    stage: Literal["embed"]
    """Always `embed`."""
    model: Model = Static()
    """The model to train."""
    train: Rows
    """What it is trained on."""
    loss: AnyLoss = InfoNce()
    """What training makes smaller."""
    epochs: NonNegativeInt = 2
    """Passes over the training rows; 0 saves the model as it is before training."""
    min_steps: NonNegativeInt = 20
    """Steps to take at least, unless `epochs` is 0: further epochs are added on a small set."""
    batch_size: int | None = Field(None, ge=2)
    """Rows of a step in each process. null: 512 for a static model, else 32."""
    gradient_accumulation: PositiveInt = 1
    """Batches whose gradients are added up before the weights change. In-batch negatives stay within one batch."""
    learning_rate: float | None = Field(None, gt=0, le=1)
    """Of AdamW at its highest: it rises over the warm-up and falls to 0 in a line. null: 2e-3 for a static model, 1e-4
    for adapters, else 2e-5."""
    warm_up: float = Field(0.1, ge=0, le=1)
    """Share of the steps over which the learning rate rises."""
    warm_up_steps: NonNegativeInt | None = None
    """The same in steps. null: `warm_up` says it."""
    weight_decay: NonNegativeFloat = 0.0
    """Of AdamW."""
    max_grad_norm: PositiveFloat | None = 1.0
    """A longer gradient is cut to this length. null: none is."""
    held_out: float = Field(0.05, gt=0, le=0.5)
    """Share that is kept back from training to measure on: of the queries, with all that shares a document with them,
    or of the documents; 20 to 500 where there are as many. No query and no document that answers one stands on both
    sides."""
    machine: Machine = Machine()
    """What is computed where."""
    checkpoints: Checkpoints = Checkpoints()
    """When it is saved and measured."""
    canary: Canary | None = Canary()
    """What stops a training that ruins the model. null: nothing."""
    proof: Proof = Proof()
    """How it is shown that the training helped."""
    log_every: Annotated[PositiveInt, Neutral()] = 5
    """Steps between two values of the loss in the log."""
    tracking: Annotated[Tracking, Neutral()] = Tracking()
    """Who follows the training."""

    @property
    def rows_a_step(self) -> int:
        """`batch_size`, or what stands for null."""
        return self.batch_size or (512 if isinstance(self.model, Static) else 32)

    @property
    def highest_rate(self) -> float:
        """`learning_rate`, or what stands for null."""
        if self.learning_rate is not None:
            return self.learning_rate
        if isinstance(self.model, Static):
            return 2e-3
        return 1e-4 if self.model.lora else 2e-5

    @model_validator(mode="after")
    def _fit_together(self) -> "Recipe":
        kind, loss = self.train.type, self.loss.type
        if isinstance(self.model, Static) and kind != "documents":
            raise ValueError(
                f"a static model learns its pieces from documents, `train` is {kind}: take `train.type: documents`, "
                "or a finished model as `model.type: pretrained`"
            )
        if kind not in FIT[loss]:
            raise ValueError(f"`loss` {loss} cannot be computed from `train` {kind}: {NEEDS[loss]}")
        if isinstance(self.model, Pretrained) and self.model.lora and self.epochs == 0:
            raise ValueError("`epochs` is 0: adapters that were never trained are no model")
        if self.machine.deepspeed and isinstance(self.loss, InfoNce) and self.loss.mini_batch_size:
            # https://github.com/huggingface/sentence-transformers/issues/3173
            raise ValueError(
                "`loss.mini_batch_size` caches gradients and adds them up, and ZeRO-2 takes each gradient once: leave "
                "out that or `machine.deepspeed`"
            )
        return self
