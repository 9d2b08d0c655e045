"""Fields of rows: the id, the text, and what else there is. Ids are text, whatever the file has."""

from collections.abc import Mapping
from typing import Any

from core.formats.rows import BadRow, Row, kind_of

_EXACT = 1 << 53
"""Up to here every whole number is a float of its own: a column of ids in which some are missing becomes one of floats.
"""


def find_id(row: Row, names: tuple[str, ...]) -> tuple[str, str]:
    """The row's id and the field it stands in: the first of `names` that the row has; a whole number becomes text.

    Raises:
        BadRow: there is none, or it is no text that TREC files can hold.
    """
    name = _field(row, names)
    if name is None:
        seen = _quoted(row.fields)
        raise BadRow("missing id", f"no id: {_none_of(names)}; the row has {seen}", where=row.where, row=row.fields)
    return clean_id(row.fields[name], row, name), name


def clean_id(value: object, row: Row, name: str) -> str:
    """`value` as an id.

    Raises:
        BadRow: see `find_id`.
    """
    if not isinstance(value, str):
        if isinstance(value, int) and not isinstance(value, bool):
            return str(value)
        if isinstance(value, float) and value.is_integer() and abs(value) <= _EXACT:
            return str(int(value))
        what = f"the id in `{name}` is {value!r}: neither text nor an integer"
        raise BadRow("bad id", what, where=row.where, row=row.fields, hint="write it as text, in quotes")
    if not value:
        raise BadRow("missing id", f"the id in `{name}` is empty", where=row.where, row=row.fields)
    if value.split() != [value]:
        hint = "runs and judgements are files whose columns are parted by white space: put `_` in its place"
        raise BadRow("bad id", f"the id {value!r} has white space in it", where=row.where, row=row.fields, hint=hint)
    return value


def find_text(row: Row, names: tuple[str, ...]) -> str:
    """The field that holds the row's text: the first of `names` that the row has.

    Raises:
        BadRow: the row has none of them.
    """
    if (name := _field(row, names)) is not None:
        return name
    what = f"no text: {_none_of(names)}; the row has {_quoted(row.fields)}"
    hint = f"rename the field that holds the text to `{names[0]}`"
    raise BadRow("missing text", what, where=row.where, row=row.fields, hint=hint)


def string(row: Row, name: str) -> str:
    """The text in field `name`.

    Raises:
        BadRow: something else is there.
    """
    value = row.fields[name]
    if isinstance(value, str):
        return value
    raise BadRow("bad text", f"`{name}` is {kind_of(value)}, not text", where=row.where, row=row.fields)


def rest(row: Row, used: tuple[str, ...]) -> dict[str, Any]:
    """What else the row holds: its `metadata`, and the fields that are not `used`."""
    if len(row.fields) == len(used) and all(name in row.fields for name in used):
        return {}
    inner = row.fields.get("metadata")
    others = {k: v for k, v in row.fields.items() if k not in used and k != "metadata"}
    if inner is None:
        return others
    return others | (inner if isinstance(inner, dict) else {"metadata": inner})


def _field(row: Row, names: tuple[str, ...]) -> str | None:
    for name in names:
        if name in row.fields:
            return name
    return None


def _none_of(names: tuple[str, ...]) -> str:
    return f"there is no `{names[0]}`" if len(names) == 1 else f"none of {_quoted(names)} is there"


def _quoted(names: Mapping[str, object] | tuple[str, ...]) -> str:
    return ", ".join(f"`{name}`" for name in names) or "no field"
