"""Training examples, one JSON object a line: what distillation and mining write and what training reads.

    {"query_id": "q1", "query": "…",
     "positives": [{"id": "d1", "title": "…", "text": "…", "score": 1.0}],
     "negatives": [{"id": "d2", "text": "…"}],
     "instruction": "…", "metadata": {…}}

Only `query` and `positives` are needed, and of a passage only its `text`; empty fields are left out.
Other fields of a row become metadata.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import orjson

from core.errors import DataError
from core.formats import jsonl, values
from core.formats.fields import clean_id
from core.formats.rows import BadRow, OnBad, Row, fail, kind_of, objects
from core.types import Example, Passage

FIELDS = ("query_id", "query", "positives", "negatives", "instruction", "metadata")
PASSAGE_FIELDS = ("id", "title", "text", "score")

_USED = frozenset(FIELDS) - {"metadata"}
_PASSAGE_USED = frozenset(PASSAGE_FIELDS)


def read(path: Path, on_bad: OnBad = fail) -> Iterator[Example]:
    """The examples of a file, one at a time, in its order.

    Raises:
        UsageError: there is no such file.
        DataError: a bad row: the first one, with file, line and field.
    """
    return jsonl.convert(objects(path, on_bad), example, on_bad)


def write(path: Path, items: Iterable[Example]) -> int:
    """Write a file of examples, one at a time; gives their number."""
    count = 0
    with path.open("wb") as file:
        for item in items:
            try:
                file.write(orjson.dumps(as_row(item), option=orjson.OPT_APPEND_NEWLINE))
            except orjson.JSONEncodeError as error:
                what = f"the example of {item.query[:80]!r} cannot be written as JSON: {error}"
                raise DataError(what, where=str(path)) from None
            count += 1
    return count


def example(row: Row) -> Example:
    """The example in a row.

    Raises:
        BadRow: no query, no positive, or a field of another type.
    """
    query = values.query(row)
    values.check_positives(row, "positives")
    return Example(
        query,
        _passages(row, "positives"),
        _passages(row, "negatives"),
        values.optional_id(row, "query_id"),
        values.optional_text(row, "instruction"),
        values.others(row, _USED),
    )


def as_row(item: Example) -> dict[str, Any]:
    """The JSON object of an example, without its empty fields."""
    row: dict[str, Any] = {"query_id": item.query_id} if item.query_id else {}
    row["query"] = item.query
    row["positives"] = [passage_as_row(passage) for passage in item.positives]
    if item.negatives:
        row["negatives"] = [passage_as_row(passage) for passage in item.negatives]
    if item.instruction:
        row["instruction"] = item.instruction
    if item.metadata:
        row["metadata"] = dict(item.metadata)
    return row


def passage_as_row(passage: Passage) -> dict[str, Any]:
    """The JSON object of a passage, without its empty fields."""
    row: dict[str, Any] = {"id": passage.id} if passage.id else {}
    if passage.title:
        row["title"] = passage.title
    row["text"] = passage.text
    if passage.score is not None:
        row["score"] = passage.score
    return row


def _passages(row: Row, name: str) -> tuple[Passage, ...]:
    return tuple(_passage(row, name, place, value) for place, value in enumerate(values.items(row, name)))


def _passage(row: Row, name: str, place: int, value: Any) -> Passage:
    where = f"{name}[{place}]"
    if type(value) is not dict:
        what = f"`{where}` is {kind_of(value)}, an object with `text` is needed"
        raise BadRow("not an object", what, where=row.where, row=row.fields)
    text, title = value.get("text"), value.get("title") or ""
    if type(text) is not str:
        state = kind_of(text) if "text" in value else "missing"
        raise BadRow("missing text", f"`{where}.text` is {state}", where=row.where, row=row.fields)
    if not text and not title:
        raise BadRow("missing text", f"`{where}.text` is empty", where=row.where, row=row.fields)
    if type(title) is not str:
        what = f"`{where}.title` is {kind_of(title)}, not text"
        raise BadRow("bad text", what, where=row.where, row=row.fields)
    if not value.keys() <= _PASSAGE_USED:
        others = ", ".join(f"`{field}`" for field in value if field not in _PASSAGE_USED)
        hint = f"a passage has {', '.join(PASSAGE_FIELDS)}; put the rest into the row's `metadata`"
        raise BadRow("wrong columns", f"`{where}` has {others}", where=row.where, row=row.fields, hint=hint)
    identifier, score = value.get("id"), value.get("score")
    return Passage(
        text,
        clean_id(identifier, row, f"{where}.id") if identifier not in (None, "") else "",
        title,
        values.number(score, row, f"{where}.score") if score is not None else None,
    )
