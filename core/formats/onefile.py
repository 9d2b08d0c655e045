"""A whole collection in one JSON file, read as a stream.

    {"queries": [{"id", "text"}], "corpus": [{"id", "title", "text"}], "qrels": {"q1": {"d1": 1}}}

`qrels` may be missing. The file is gone through once for each of the three.
"""

import contextlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import ijson

from core.errors import DataError
from core.formats import jsonl, qrels
from core.formats.qrels import Judgement
from core.formats.rows import BOM, BadRow, Found, OnBad, Row, fail, not_an_object, unreadable
from core.types import Document, Query

SPLIT = "test"
"""The split of the judgements: the format has one only."""


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
        DataError: no readable file, or broken JSON.
    """
    for query_id, of_query in _stream(path, ijson.kvitems, "qrels"):
        where = f"{path}: qrels.{query_id}"
        if not isinstance(of_query, dict):
            on_bad(not_an_object(where, of_query))
            continue
        for document_id, grade in of_query.items():
            row = Row(f"{where}.{document_id}", {"query": query_id, "document": document_id, "grade": grade})
            try:
                found = qrels.judgement(row, SPLIT, ("query", "document", "grade"))
            except BadRow as bad:
                on_bad(bad)
                continue
            yield found


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
    with _opened(path) as file:
        yield from read(file, prefix, use_float=True)


def _no_entry(path: Path, key: str) -> DataError:
    with _opened(path) as file:
        keys = [value for prefix, event, value in ijson.parse(file) if prefix == "" and event == "map_key"]
    if key in keys:
        return DataError(f"`{key}` is not a list with entries", where=str(path))
    seen = ", ".join(f"`{name}`" for name in keys) or "no field"
    hint = 'the file is {"queries": […], "corpus": […], "qrels": {…}}; rows of their own are `type: jsonl`'
    return DataError(f"there is no `{key}`; the file has {seen}", where=str(path), hint=hint)


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    try:
        with path.open("rb") as file:
            if file.read(len(BOM)) != BOM:
                file.seek(0)
            yield file
    except ijson.JSONError as error:
        raise _broken(path, error) from None
    except OSError as error:
        raise unreadable(path, error) from None


def _broken(path: Path, error: Any) -> DataError:
    told = error.args[0]
    first = (told.decode(errors="replace") if isinstance(told, bytes) else str(told)).strip().splitlines()[0]
    hint = "a file with an object on each line is `type: jsonl`" if "trailing garbage" in first else None
    if "UTF8" in first:
        hint = f"if it is Chinese text, try `iconv -f GB18030 -t UTF-8 {path} > utf8.json`"
    return DataError(f"not valid JSON: {first}", where=str(path), hint=hint)
