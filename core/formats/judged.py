"""Queries that carry their documents: one query a row, and in it the ids of documents, with or without grades.

    {"query_id": "q1", "query": "…", "relevant_docs": ["d1", "d2"]}
    {"query_id": "q1", "query": "…", "qrels": {"d1": 2, "d3": 0}}
    {"query_id": "q1", "query": "…", "documents": ["d1", "d3"], "labels": [2, 0]}
    {"query_id": "q1", "query": "…", "positive_passages": [{"docid": "d1", "title": "…", "text": "…"}]}

An id without a grade is of grade 1. A row without any of these fields is a query that is not judged.
The second form is the one that is written, with the metadata as `metadata`.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from core.formats import table
from core.formats.fields import clean_id, find_id
from core.formats.qrels import Judgement, grade
from core.formats.rows import BadRow, Found, Row, kind_of
from core.types import Document, Query

RELEVANT = (
    "qrels", "relevant", "relevant_docs", "relevant_documents", "relevant_doc_ids", "relevant_document_ids",
    "relevant_ids", "positives", "positive_ids", "positive_docs", "positive_doc_ids", "positive_document_ids",
    "positive_passages", "documents", "doc_ids", "document_ids", "docids", "targets",
)  # fmt: skip
"""Where a row's documents may stand; the first that is there counts."""
LABELS = ("labels", "grades", "scores")
"""Where the grades of a list of ids may stand, in the same order."""
NEGATIVES = ("negatives", "negative_ids", "negative_document_ids", "negative_passages")
"""Documents that a program took for irrelevant: no judgements, and no metadata either."""


def query(row: Row) -> Found[Query]:
    """The query of a row.

    Raises:
        BadRow: no id, no text, or one that is not what it should be.
    """
    used = {*RELEVANT, *LABELS, *NEGATIVES}
    return table.query(Row(row.where, {name: value for name, value in row.fields.items() if name not in used}))


def judgements(row: Row, split: str) -> Iterator[Judgement]:
    """The judgements of a row; none where it names no documents.

    Raises:
        BadRow: an id that is none, a grade that is no whole number, or grades that are not as many as documents.
    """
    name = next((name for name in RELEVANT if row.fields.get(name) is not None), None)
    if name is None:
        return
    query_id, _ = find_id(row, table.QUERY_IDS)
    for number, (document, value) in enumerate(_graded(row, name)):
        where = f"`{name}` entry {number + 1}"
        yield Judgement(split, query_id, clean_id(document, row, where), grade(value, row), row.where)


def passages(row: Row) -> Iterator[Found[Document]]:
    """The documents that a row holds whole, relevant ones first.

    Raises:
        BadRow: one without id or text.
    """
    for name in (*RELEVANT, *NEGATIVES):
        value = row.fields.get(name)
        for number, item in enumerate(value if isinstance(value, list) else ()):
            if isinstance(item, dict):
                yield table.document(Row(f"{row.where}: {name}[{number}]", item))


def query_row(item: Query, grades: Mapping[str, int] | None) -> dict[str, Any]:
    """The row of a query; grades None: it is not judged."""
    row: dict[str, Any] = {"query_id": item.id, "query": item.text}
    if grades is not None:
        row["qrels"] = dict(grades)
    return row | ({"metadata": dict(item.metadata)} if item.metadata else {})


def document_row(item: Document) -> dict[str, Any]:
    """The row of a document in the file beside the queries."""
    row: dict[str, Any] = {"id": item.id, "title": item.title, "text": item.text}
    return row | ({"metadata": dict(item.metadata)} if item.metadata else {})


def _graded(row: Row, name: str) -> Iterator[tuple[Any, Any]]:
    """Id and grade of each document in field `name`."""
    value = row.fields[name]
    if isinstance(value, dict):
        yield from value.items()
        return
    listed = value if isinstance(value, list) else [value]
    labels = next((row.fields[name] for name in LABELS if row.fields.get(name) is not None), None)
    if labels is None:
        yield from (_one(item, row, name) for item in listed)
        return
    if not isinstance(labels, list) or len(labels) != len(listed):
        given = len(labels) if isinstance(labels, list) else kind_of(labels)
        what = f"`{name}` has {len(listed)} documents, and their grades are {given}"
        raise BadRow("wrong columns", what, where=row.where, row=row.fields, hint="one grade a document, in order")
    yield from ((_one(item, row, name)[0], label) for item, label in zip(listed, labels, strict=True))


def _one(item: Any, row: Row, name: str) -> tuple[Any, Any]:
    if not isinstance(item, dict):
        return item, 1
    inner = Row(f"{row.where}: {name}", item)
    identifier, _ = find_id(inner, table.DOCUMENT_IDS)
    if name.startswith("positive"):  # a score in there is a retriever's
        return identifier, 1
    return identifier, next((item[graded] for graded in table.GRADES if item.get(graded) is not None), 1)
