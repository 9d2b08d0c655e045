"""BEIR folders, the form of every data artifact.

corpus.jsonl        {"_id": "d1", "title": "", "text": "…", "metadata": {…}}
queries.jsonl       {"_id": "q1", "text": "…", "metadata": {…}}
qrels/<split>.tsv   query-id <tab> corpus-id <tab> score, with this header
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import orjson

from core.errors import DataError, UsageError
from core.formats import jsonl, qrels
from core.formats.rows import BadRow, Found, OnBad, Row, fail, objects
from core.types import Document, Qrels, Query

CORPUS = "corpus.jsonl"
QUERIES = "queries.jsonl"
QRELS = "qrels"

_ID, _TEXT = ("_id",), ("text",)


def read_documents(folder: Path) -> Iterator[Document]:
    """The documents, one at a time, in the order of the file.

    Raises:
        UsageError: no such folder or file.
        DataError: a bad row: the first one, with file and line.
    """
    return (found.item for found in documents(folder))


def read_queries(folder: Path) -> list[Query]:
    """The queries in the order of the file.

    Raises:
        UsageError: no such folder or file.
        DataError: a bad row, or an id used twice.
    """
    found: dict[str, Query] = {}
    for item, where, *_ in queries(folder):
        if found.setdefault(item.id, item) is not item:
            raise BadRow("duplicate id", f"the query id `{item.id}` is used twice", where=where)
    return list(found.values())


def read_qrels(folder: Path, split: str) -> dict[str, dict[str, int]]:
    """Query id -> document id -> grade of one split.

    Raises:
        UsageError: there is no such split.
        DataError: a bad row.
    """
    path = folder / QRELS / f"{split}.tsv"
    if not path.exists():
        there = ", ".join(f"`{name}`" for name in splits(folder))
        hint = f"there are {there}" if there else "the corpus has no judgements"
        raise UsageError(f"there is no split `{split}`", where=str(path), hint=hint)
    found: dict[str, dict[str, int]] = {}
    for judgement in qrels.read(path, split):
        qrels.add(found, judgement)
    return found


def splits(folder: Path) -> list[str]:
    """Names of the splits that have judgements: train, dev, test, then others by name; empty when there are none."""
    return qrels.split_names(folder / QRELS)


def documents(folder: Path, on_bad: OnBad = fail) -> Iterator[Found[Document]]:
    """Like `read_documents`, with places, and with a say in what a bad row means."""
    return jsonl.convert(objects(_file(folder, CORPUS), on_bad), _document, on_bad)


def queries(folder: Path, on_bad: OnBad = fail) -> Iterator[Found[Query]]:
    """Like `read_queries`, with places, and with a say in what a bad row means; ids are not compared."""
    return jsonl.convert(objects(_file(folder, QUERIES), on_bad), _query, on_bad)


def write_documents(folder: Path, items: Iterable[Document]) -> int:
    """Write corpus.jsonl, one document at a time; gives their number."""
    return _write(folder / CORPUS, ({"_id": d.id, "title": d.title, "text": d.text, **_more(d)} for d in items))


def write_queries(folder: Path, items: Iterable[Query]) -> int:
    """Write queries.jsonl; gives their number."""
    return _write(folder / QUERIES, ({"_id": q.id, "text": q.text, **_more(q)} for q in items))


def write_qrels(folder: Path, split: str, judged: Qrels) -> int:
    """Write qrels/<split>.tsv; gives the number of judgements."""
    rows = [(query, document, str(grade)) for query, of in judged.items() for document, grade in of.items()]
    (folder / QRELS).mkdir(exist_ok=True)
    text = "".join("\t".join(row) + "\n" for row in (qrels.HEADER, *rows))
    (folder / QRELS / f"{split}.tsv").write_text(text, encoding="utf-8")
    return len(rows)


def _document(row: Row) -> Found[Document]:
    return jsonl.document(row, _ID, _TEXT)


def _query(row: Row) -> Found[Query]:
    return jsonl.query(row, _ID, _TEXT)


def _file(folder: Path, name: str) -> Path:
    if folder.is_dir():
        return folder / name
    if folder.exists():
        hint = "sources of a single file are `type: jsonl` and `type: onefile`"
        raise UsageError("a file is here, a BEIR folder is needed", where=str(folder), hint=hint)
    raise UsageError("there is no such folder", where=str(folder), hint="paths are relative to where `dr` is called")


def _write(path: Path, rows: Iterable[dict[str, Any]]) -> int:
    count = 0
    with path.open("wb") as file:
        for row in rows:
            try:
                file.write(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE))
            except orjson.JSONEncodeError as error:
                raise DataError(f"`{row['_id']}` cannot be written as JSON: {error}", where=str(path)) from None
            count += 1
    return count


def _more(item: Document | Query) -> dict[str, Any]:
    return {"metadata": dict(item.metadata)} if item.metadata else {}
