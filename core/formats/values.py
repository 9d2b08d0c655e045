"""Values in rows of training data: texts, lists of texts, numbers; each wrong one is told with its field."""

from typing import Any

from core.formats.fields import clean_id
from core.formats.rows import BadRow, Row, kind_of


def text(row: Row, name: str) -> str:
    """The text in field `name`; it may be empty.

    Raises:
        BadRow: it is missing, or no text.
    """
    value = row.fields.get(name)
    if type(value) is str:
        return value
    if name not in row.fields:
        raise missing(row, name)
    raise BadRow("bad text", f"`{name}` is {kind_of(value)}, not text", where=row.where, row=row.fields)


def query(row: Row, name: str = "query") -> str:
    """The query in field `name`, which has words.

    Raises:
        BadRow: it is missing, no text, or blank.
    """
    value = text(row, name)
    if not value or value.isspace():
        raise BadRow("empty query", f"`{name}` is empty: a query without text", where=row.where, row=row.fields)
    return value


def document(row: Row, name: str) -> str:
    """The document's text in field `name`, which is not empty.

    Raises:
        BadRow: it is missing, no text, or empty.
    """
    if value := text(row, name):
        return value
    raise BadRow("missing text", f"`{name}` is empty: a document without text", where=row.where, row=row.fields)


def optional_text(row: Row, name: str) -> str:
    """The text in field `name`; empty where the field is missing or null.

    Raises:
        BadRow: something else is there.
    """
    return "" if row.fields.get(name) is None else text(row, name)


def optional_id(row: Row, name: str) -> str:
    """The id in field `name`; empty where the field is missing, null or empty.

    Raises:
        BadRow: it is no id.
    """
    value = row.fields.get(name)
    return "" if value is None or value == "" else clean_id(value, row, name)


def items(row: Row, name: str) -> list[Any]:
    """The list in field `name`; empty where the field is missing or null.

    Raises:
        BadRow: no list is there.
    """
    value = row.fields.get(name)
    if value is None:
        return []
    if type(value) is list:
        return value
    raise BadRow("wrong columns", f"`{name}` is {kind_of(value)}, a list is needed", where=row.where, row=row.fields)


def check_positives(row: Row, name: str) -> None:
    """Look whether the list of positives in field `name` has an entry.

    Raises:
        BadRow: it is missing, no list, or empty.
    """
    if name not in row.fields:
        raise missing(row, name)
    if not items(row, name):
        what = f"`{name}` is empty: an example needs a document that answers its query"
        raise BadRow("missing text", what, where=row.where, row=row.fields)


def texts(row: Row, name: str) -> list[str]:
    """The list of texts in field `name`; empty where the field is missing or null.

    Raises:
        BadRow: no list, or something in it that is no text.
    """
    found = items(row, name)
    for place, value in enumerate(found):
        if type(value) is not str:
            what = f"`{name}[{place}]` is {kind_of(value)}, not text"
            raise BadRow("bad text", what, where=row.where, row=row.fields)
    return found


def number(value: object, row: Row, name: str) -> float:
    """`value`, which stands in field `name`, as a number.

    Raises:
        BadRow: it is none.
    """
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    what = f"`{name}` is {kind_of(value)}, a number is needed"
    raise BadRow("bad grade", what, where=row.where, row=row.fields)


def share(row: Row, name: str) -> float:
    """The number from 0 to 1 in field `name`.

    Raises:
        BadRow: it is missing, no number, or out of this range.
    """
    if name not in row.fields:
        raise missing(row, name)
    value = number(row.fields[name], row, name)
    if 0 <= value <= 1:
        return value
    hint = "0 is not relevant, 1 is fully relevant; divide other scales by their highest value"
    what = f"`{name}` is {value:g}, it must lie between 0 and 1"
    raise BadRow("bad grade", what, where=row.where, row=row.fields, hint=hint)


def weight(row: Row, name: str) -> float:
    """The weight in field `name`; 1 where the field is missing.

    Raises:
        BadRow: it is no number, negative, or without end.
    """
    value = number(row.fields.get(name, 1.0), row, name)
    if 0 <= value < float("inf"):
        return value
    raise BadRow("bad grade", f"`{name}` is {value:g}, a weight is 0 or more", where=row.where, row=row.fields)


def others(row: Row, used: frozenset[str]) -> dict[str, Any]:
    """What else a row of training data holds: its `metadata` object, and the fields that are not `used`."""
    if row.fields.keys() <= used:
        return {}
    more = {name: value for name, value in row.fields.items() if name not in used and name != "metadata"}
    return more | metadata(row)


def metadata(row: Row) -> dict[str, Any]:
    """The object in `metadata`; empty where the field is missing or null.

    Raises:
        BadRow: something else is there.
    """
    value = row.fields.get("metadata")
    if value is None:
        return {}
    if type(value) is dict:
        return value
    what = f"`metadata` is {kind_of(value)}, an object is needed"
    raise BadRow("wrong columns", what, where=row.where, row=row.fields)


def missing(row: Row, name: str) -> BadRow:
    """Field `name` is needed and is not there."""
    there = ", ".join(f"`{field}`" for field in row.fields) or "no field"
    return BadRow("missing text", f"there is no `{name}`; the row has {there}", where=row.where, row=row.fields)
