"""What a model is worth on what is held out: the loss, and nDCG@10."""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch
from accelerate.utils import gather_object, send_to_device
from sentence_transformers import SentenceTransformer

from core.embed.fit.batch import Collate
from core.embed.fit.objective import Objective
from core.embed.losses.spec import AnyLoss, InfoNce
from core.embed.proof import graded, quick
from core.embed.rows.row import Material, Row

VAL_LOSS = "val_loss"
NDCG = "ndcg@10"


class Examiner:
    """Measures a model on `material`, its loss in all processes and nDCG in the first one.

    The loss is that of batches of `batch_size` rows at most, near equal in size, whatever the number of processes: no
    vectors are gathered for it, so a set smaller than all processes together makes none of them wait.
    """

    def __init__(
        self, loss: AnyLoss, material: Material, *, batch_size: int, rank: int = 0, processes: int = 1
    ) -> None:
        self._loss = loss.model_copy(update={"gather": False}) if isinstance(loss, InfoNce) else loss
        self._batches = cut(material.validation, batch_size)[rank::processes]
        self._asked: quick.Prepared | graded.Prepared | None = None
        if rank == 0 and material.exam is not None:
            self._asked = quick.Prepared(material.exam)
        elif rank == 0 and material.graded:
            self._asked = graded.Prepared(material.validation)

    def measured(self, model: SentenceTransformer) -> dict[str, float]:
        """`val_loss` and `ndcg@10`, each where there is something to measure it on; the same in all processes.

        Without `ndcg@10` where the loss is no number.

        The model is left in the mode it was in, and no random number is drawn.
        """
        own = self._losses(model)
        # Where the loss is NaN the vectors are, too; the encoder would blame damaged weights, the loss names remedies.
        sound = all(math.isfinite(loss) for loss, _ in own)
        score = self._asked.ndcg(model) if self._asked is not None and sound else None
        gathered: list[tuple[list[tuple[float, int]], float | None]] = gather_object([(own, score)])
        losses = [pair for of, _ in gathered for pair in of]
        found = {}
        if losses:
            found[VAL_LOSS] = sum(loss * size for loss, size in losses) / sum(size for _, size in losses)
        if gathered[0][1] is not None:
            found[NDCG] = gathered[0][1]
        return found

    def _losses(self, model: SentenceTransformer) -> list[tuple[float, int]]:
        """Loss and size of each batch."""
        if not self._batches:
            return []
        collate, objective = Collate(model, self._loss), Objective(model, self._loss)
        training = [module for module in model.modules() if module.training]
        try:
            objective.eval()
            with torch.no_grad():
                return [(_loss(objective, collate(batch), model), len(batch)) for batch in self._batches]
        finally:
            for module in training:
                module.training = True


def cut(rows: Sequence[Row], size: int) -> list[Sequence[Row]]:
    """`rows` in order, in as few parts of at most `size` as there can be, whose sizes differ by one at most."""
    parts = -(-len(rows) // size)
    bounds = [len(rows) * part // parts for part in range(parts + 1)] if parts else []
    return [rows[start:end] for start, end in pairwise(bounds)]


def _loss(objective: Objective, batch: dict[str, Any], model: SentenceTransformer) -> float:
    return float(objective(send_to_device(batch, model.device)))
