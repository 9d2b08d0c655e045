"""A whole collection in one JSON file, read as a stream.

    {"queries": [{"id", "text"}], "corpus": [{"id", "title", "text"}], "qrels": {"q1": {"d1": 1}}}

`qrels` may be missing. The file is gone through once for each of the three.
"""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import ijson

from core.errors import DataError
from core.formats import jsonl, qrels
from core.formats.qrels import Judgement
from core.formats.records import opened_json
from core.formats.rows import BadRow, Found, OnBad, Row, fail, not_an_object
from core.types import Document, Query


def documents(path: Path, on_bad: OnBad = fail) -> Iterator[Found[Document]]:
    """The entries of `corpus`, in order.

    Raises:
        DataError: no readable file, broken JSON, or no entry.
    """
    return jsonl.convert(_entries(path, "corpus", on_bad), jsonl.document, on_bad)


def queries(path: Path, on_bad: OnBad = fail) -> Iterator[Found[Query]]:
    """The entries of `queries`, in order.

    Raises:
        DataError: no readable file, broken JSON, or no entry.
    """
    return jsonl.convert(_entries(path, "queries", on_bad), jsonl.query, on_bad)


def judgements(path: Path, on_bad: OnBad = fail) -> Iterator[Judgement]:
    """All of `qrels`; nothing when there are none.

    Raises:
        DataError: no readable file, broken JSON, or `qrels` are no object.
    """
    query_id = None
    for query_id, of_query in _stream(path, ijson.kvitems, "qrels"):
        where = f"{path}: qrels.{query_id}"
        if not isinstance(of_query, dict):
            on_bad(not_an_object(where, of_query))
            continue
        for document_id, grade in of_query.items():
            row = Row(f"{where}.{document_id}", {"query": query_id, "document": document_id, "grade": grade})
            try:
                found = qrels.judgement(row, qrels.ONLY_SPLIT, ("query", "document", "grade"))
            except BadRow as bad:
                on_bad(bad)
                continue
            yield found
    if query_id is None:
        _check_object(path, "qrels")


def _entries(path: Path, key: str, on_bad: OnBad) -> Iterator[Row]:
    number = -1
    for number, value in enumerate(_stream(path, ijson.items, f"{key}.item")):
        where = f"{path}: {key}[{number}]"
        if isinstance(value, dict):
            yield Row(where, value)
        else:
            on_bad(not_an_object(where, value))
    if number < 0:
        raise _no_entry(path, key)


def _stream(path: Path, read: Callable[..., Iterable[Any]], prefix: str) -> Iterator[Any]:
    with opened_json(path) as file:
        yield from read(file, prefix, use_float=True)


def _check_object(path: Path, key: str) -> None:
    """Raises DataError when `key` is there and no object: its entries would be missing without a word."""
    with opened_json(path) as file:
        kind = next((event for prefix, event, _ in ijson.parse(file) if prefix == key), "null")
    if kind not in {"start_map", "null"}:
        hint = '`"qrels": {"q1": {"d1": 1}}`; three columns in a file of their own are `type: jsonl`'
        raise DataError(f"`{key}` is not an object of queries", where=str(path), hint=hint)


def _no_entry(path: Path, key: str) -> DataError:
    with opened_json(path) as file:
        keys = [value for prefix, event, value in ijson.parse(file) if prefix == "" and event == "map_key"]
    if key in keys:
        return DataError(f"`{key}` is not a list with entries", where=str(path))
    seen = ", ".join(f"`{name}`" for name in keys) or "no field"
    hint = 'the file is {"queries": […], "corpus": […], "qrels": {…}}; rows of their own are `type: jsonl`'
    return DataError(f"there is no `{key}`; the file has {seen}", where=str(path), hint=hint)
