"""One JSON object a line, as people and other tools keep their own corpora (Pyserini, FlashRAG, Search-R1, OmniEval).

    {"id": "d1", "contents": "…"}        {"docid": 7, "title": "…", "text": "…", "date": "…"}
    {"id": "d2", "contents": {"股票代码": "002851", "交易日期": "20190125"}}

The id may be named `id`, `_id` or `docid`, the text `contents` or `text`; all other fields become metadata.
A `contents` that is an object is a structured record: its fields become metadata too, and its text is one
`name: value` a line.
"""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from core.formats.fields import find_id, find_text, rest, string
from core.formats.rows import BadRow, Found, OnBad, Row, fail, objects
from core.types import Document, Query

DOCUMENT_ID = ("id", "_id", "docid")
DOCUMENT_TEXT = ("contents", "text")
QUERY_ID = ("id", "_id", "query_id")
QUERY_TEXT = ("text", "query", "question")

T = TypeVar("T")


def documents(path: Path, on_bad: OnBad = fail) -> Iterator[Found[Document]]:
    """The documents of a file, in its order."""
    return convert(objects(path, on_bad), document, on_bad)


def queries(path: Path, on_bad: OnBad = fail) -> Iterator[Found[Query]]:
    """The queries of a file, in its order."""
    return convert(objects(path, on_bad), query, on_bad)


def convert(rows: Iterable[Row], make: Callable[[Row], T], on_bad: OnBad) -> Iterator[T]:
    """`make` of every row; those it refuses go to `on_bad`."""
    for row in rows:
        try:
            found = make(row)
        except BadRow as bad:
            on_bad(bad)
            continue
        yield found


def document(
    row: Row, ids: tuple[str, ...] = DOCUMENT_ID, texts: tuple[str, ...] = DOCUMENT_TEXT, heading: str = "title"
) -> Found[Document]:
    """The document in a row, its id and text under the first of these names that the row has, its title in `heading`.

    Raises:
        BadRow: no id, no text, or one that is not what it should be.
    """
    identifier, id_field = find_id(row, ids)
    text_field = find_text(row, texts)
    title = string(row, heading) if row.fields.get(heading) is not None else ""
    metadata = rest(row, (id_field, text_field, heading))
    value = row.fields[text_field]
    if text_field == "contents" and isinstance(value, dict | list):
        text = render(value)
        metadata |= value if isinstance(value, dict) else {}
    else:
        text = string(row, text_field)
    return Found(Document(identifier, text, title, metadata), row.where, id_field, text_field)


def query(row: Row, ids: tuple[str, ...] = QUERY_ID, texts: tuple[str, ...] = QUERY_TEXT) -> Found[Query]:
    """The query in a row, its id and text under the first of these names that the row has.

    Raises:
        BadRow: no id, no text, or one that is not what it should be.
    """
    identifier, id_field = find_id(row, ids)
    text_field = find_text(row, texts)
    text = string(row, text_field)
    if not text.strip():
        raise BadRow("empty query", f"`{text_field}` is empty: a query without text", where=row.where, row=row.fields)
    return Found(Query(identifier, text, rest(row, (id_field, text_field))), row.where, id_field, text_field)


def render(value: Any) -> str:
    """A structured record as text: one `name: value` a line, `outer.inner: value` below; empty fields are left out.

    One field a line, because readers that take the first line for a title then find a field there, not everything.
    """
    return "\n".join(_lines(value, ""))


def _lines(value: Any, name: str) -> Iterator[str]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _lines(inner, f"{name}.{key}" if name else key)
    elif isinstance(value, list) and (not name or any(isinstance(item, dict | list) for item in value)):
        for item in value:
            yield from _lines(item, name)
    elif text := _scalar(value):
        yield f"{name}: {text}" if name else text


def _scalar(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(filter(None, map(_scalar, value)))
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else str(value)
