"""Columns that sentence-transformers trains on, as JSON lines, a JSON array or Parquet.

(anchor, positive), (anchor, positive, negative), (anchor, positive, negative_1, …, negative_n)
(sentence1, sentence2, score): a column named `label` or `score` makes it a table of graded pairs

The library takes columns by their order, so do we; the names of the first row are the columns of the table.
"""

from collections.abc import Iterator
from typing import Any

from core.formats import values
from core.formats.lost import Lost, of_pair, of_passages
from core.formats.rows import BadRow, Row
from core.types import Example, Pair, Passage

LABELS = ("label", "score")


class Table:
    """Reads rows by the columns of the first one."""

    def __init__(self) -> None:
        self._columns: tuple[str, ...] = ()

    def example(self, row: Row) -> Example:
        """The example in a row.

        Raises:
            BadRow: other columns than the first row's, a cell without text, or a label.
        """
        columns = self._same(row)
        if label := next((name for name in LABELS if name in columns), None):
            hint = "tables of graded pairs are the format sentence-transformers-pairs"
            raise BadRow("wrong columns", f"there is a `{label}`", where=row.where, row=row.fields, hint=hint)
        if len(columns) < 2:
            what = f"{len(columns)} column, an anchor and a positive are needed"
            raise BadRow("wrong columns", what, where=row.where, row=row.fields)
        query = values.query(row, columns[0])
        positive, *negatives = (Passage(values.document(row, name)) for name in columns[1:])
        return Example(query, (positive,), tuple(negatives))

    def pair(self, row: Row) -> Pair:
        """The pair in a row.

        Raises:
            BadRow: other columns than the first row's, not two texts and a label, or a label that is not from 0 to 1.
        """
        columns = self._same(row)
        label = next((name for name in LABELS if name in columns), None)
        texts = [name for name in columns if name != label]
        if label is None or len(texts) != 2:
            what = f"the columns are {', '.join(columns)}; two texts and `label` or `score` are needed"
            raise BadRow("wrong columns", what, where=row.where, row=row.fields)
        return Pair(values.query(row, texts[0]), values.document(row, texts[1]), values.share(row, label))

    def _same(self, row: Row) -> tuple[str, ...]:
        """The table's columns."""
        self._columns = self._columns or tuple(row.fields)
        if row.fields.keys() != set(self._columns):
            what = f"the columns are {', '.join(row.fields)}; those of the first row are {', '.join(self._columns)}"
            raise BadRow("wrong columns", what, where=row.where, row=row.fields)
        return self._columns


def columns(num_negatives: int) -> tuple[str, ...]:
    """Names of the columns of examples with so many negatives."""
    if num_negatives == 1:
        return ("anchor", "positive", "negative")
    return ("anchor", "positive", *(f"negative_{number}" for number in range(1, num_negatives + 1)))


PAIR_COLUMNS = ("sentence1", "sentence2", "score")


def rows(item: Example, lost: Lost) -> Iterator[dict[str, Any]]:
    """A row for each positive of an example, each with all its negatives."""
    lost["grouping"] += len(item.positives) - 1
    lost["query_id"] += bool(item.query_id)
    lost["instruction"] += bool(item.instruction)
    lost["metadata"] += bool(item.metadata)
    of_passages(item.positives + item.negatives, lost)
    names = columns(len(item.negatives))
    negatives = [passage.contents for passage in item.negatives]
    for passage in item.positives:
        yield dict(zip(names, (item.query, passage.contents, *negatives), strict=True))


def pair_row(item: Pair, lost: Lost) -> dict[str, Any]:
    """The row of a pair."""
    of_pair(item, lost)
    return dict(zip(PAIR_COLUMNS, (item.query, item.document, item.label), strict=True))
