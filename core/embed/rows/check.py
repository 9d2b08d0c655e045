"""What is wrong with rows, said before the first step."""

import logging
from collections.abc import Sequence

from core.embed.rows.row import Row
from core.errors import DataError

MIN_ROWS = 2

log = logging.getLogger(__name__)


def rows(found: Sequence[Row], where: str) -> None:
    """Whether rows can teach anything.

    Raises:
        DataError: there are fewer than two; or they have labels, and all are equal, or all weights are 0.
    """
    if len(found) < MIN_ROWS:
        what = f"{len(found)} rows are left to train on, {MIN_ROWS} are needed and some thousand make sense"
        raise DataError(what, where=where, hint="give more data, or hold out less: held_out")
    labels = {label for row in found for label in row.labels or (None,) if row.weight > 0}
    if not labels:
        raise DataError("the weights of all rows are 0: nothing would be learnt", where=where)
    if len(labels) == 1 and (only := labels.pop()) is not None:
        raise DataError(
            f"one class only: all {len(found):,} rows that count have the label {only:g}, and a model that gives every "
            "pair this similarity makes no error",
            where=where,
            hint="add pairs of other labels; for queries with documents that answer them take loss.type=infonce",
        )


def validation(found: Sequence[Row], *, processes: int, batch_size: int, given: bool) -> None:
    """Whether there are validation rows; a warning where they do not fill a batch in each process.

    given: they are the user's own, not a share of the training rows, whose size the user knows.

    Raises:
        DataError: there is none.
    """
    if not found:
        raise DataError("no validation row is left to measure on", hint="hold out more: held_out=0.1")
    if len(found) < processes * batch_size and (given or processes > 1):
        log.warning(
            "the %d validation rows are fewer than %d processes × batch_size %d: few rows say little, and a loss with "
            "in-batch negatives is lower among them than in training",
            len(found),
            processes,
            batch_size,
        )
