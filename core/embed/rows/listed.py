"""Rows that are the same in every epoch."""

from collections.abc import Iterable

from core.embed.rows.row import Row


class Listed(tuple[Row, ...]):
    """Rows in memory: `Rows` and a sequence in one."""

    __slots__ = ()

    def set_epoch(self, epoch: int) -> None:
        """Nothing is drawn: every epoch has the same rows."""


def texts(rows: Iterable[Row]) -> list[str]:
    """The different documents of rows, in the order in which they come."""
    return list(dict.fromkeys(document for row in rows for document in row.documents))
