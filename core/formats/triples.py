"""Graded pairs with weights: `{"query", "document", "rel": 0 to 1, "weight"}`, as lines or as one JSON array.

`weight` may be missing; otherwise the rows are strict: a field of another name is an error, not a default.
"""

from typing import Any

from core.formats import values
from core.formats.lost import Lost, of_pair
from core.formats.rows import BadRow, Row
from core.types import Pair

FIELDS = ("query", "document", "rel", "weight")
_FIELDS = frozenset(FIELDS)


def pair(row: Row) -> Pair:
    """The pair in a row.

    Raises:
        BadRow: a field is missing, of another name or type, or out of its range.
    """
    fields = row.fields
    if not fields.keys() <= _FIELDS:
        others = ", ".join(f"`{name}`" for name in fields if name not in _FIELDS)
        what = f"there is no field {others} in this format"
        hint = f"the fields are {', '.join(FIELDS)}"
        raise BadRow("wrong columns", what, where=row.where, row=fields, hint=hint)
    query, document = values.query(row), values.document(row, "document")
    return Pair(query, document, values.share(row, "rel"), values.weight(row, "weight"))


def row(item: Pair, lost: Lost) -> dict[str, Any]:
    """The row of a pair."""
    of_pair(item, lost, weight=False)
    return {"query": item.query, "document": item.document, "rel": item.label, "weight": item.weight}
