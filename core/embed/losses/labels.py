"""The labels of a batch, where a loss cannot do without."""

from torch import Tensor

from core.embed.losses.embedded import Embedded
from core.errors import DataError


def labels(batch: Embedded) -> Tensor:
    """[B, C], NaN where a row has no document.

    Raises:
        DataError: the rows have none.
    """
    if batch.labels_BC is None:
        raise DataError(
            "the loss needs a label for every document, and the rows have none",
            hint="graded pairs have `rel`; for margin_mse and kl name a `loss.teacher`, or give the examples scores",
        )
    return batch.labels_BC
