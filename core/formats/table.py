"""Documents, queries and judgements as rows of a table, whatever file it is in: the columns are named, or guessed.

Names are compared as they are. Columns with another use become metadata, without those that a row leaves empty.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from core.formats import jsonl
from core.formats.arrow import Needs
from core.formats.fields import clean_id
from core.formats.qrels import Judgement, digits, grade, split_named
from core.formats.rows import BadRow, Found, Row
from core.types import Document, Query

DOCUMENT_IDS = (*jsonl.DOCUMENT_ID, "doc_id", "document_id", "pid", "corpus-id", "corpus_id", "passage_id")
DOCUMENT_TEXTS = (*jsonl.DOCUMENT_TEXT, "content", "body", "document", "passage", "document_text")
QUERY_IDS = (*jsonl.QUERY_ID, "query-id", "qid")
QUERY_TEXTS = (*jsonl.QUERY_TEXT, "contents", "query_text")
JUDGED_QUERIES = ("query-id", "query_id", "qid", "query")
JUDGED_DOCUMENTS = ("corpus-id", "corpus_id", "docid", "doc_id", "document_id", "pid", "passage_id", "document")
GRADES = ("score", "relevance", "grade", "label", "rel")
SPLIT = "split"
"""The column that names the split of a judgement, where there is one."""


def document_needs(identifier: str | None, title: str | None, text: str | Sequence[str] | None) -> Needs:
    """The columns that `document` looks at; all others only become metadata."""
    texts = [_names(text, DOCUMENT_TEXTS)] if text is None or isinstance(text, str) else [(name,) for name in text]
    return (_names(identifier, DOCUMENT_IDS), (title or "title",), *texts)


def query_needs(identifier: str | None, text: str | None) -> Needs:
    """The columns that `query` looks at; all others only become metadata."""
    return _names(identifier, QUERY_IDS), _names(text, QUERY_TEXTS)


def judgement_needs(of_query: str | None, of_document: str | None, graded: str | None) -> Needs:
    """The columns that `judgement` looks at."""
    named = ((of_query, JUDGED_QUERIES), (of_document, JUDGED_DOCUMENTS), (graded, GRADES))
    return *(_names(given, usual) for given, usual in named), (SPLIT,)


def document(
    row: Row, identifier: str | None = None, title: str | None = None, text: str | Sequence[str] | None = None
) -> Found[Document]:
    """The document in a row; columns that are None are guessed.

    Several columns of text make a record: one `name: value` a line, and each column is metadata too.

    Raises:
        BadRow: no id, no text, or one that is not what it should be.
    """
    if text is not None and not isinstance(text, str):
        record = {name: _there(row, name) for name in text}
        text = ", ".join(text)
        row = Row(row.where, {**row.fields, text: jsonl.render(record)})
    ids, texts = _names(identifier, DOCUMENT_IDS), _names(text, DOCUMENT_TEXTS)
    found = jsonl.document(row, ids, texts, title or "title")
    item = found.item
    return found._replace(item=Document(item.id, item.text, item.title, _filled(item.metadata)))


def query(row: Row, identifier: str | None = None, text: str | None = None) -> Found[Query]:
    """The query in a row; columns that are None are guessed.

    Raises:
        BadRow: no id, no text, or one that is not what it should be.
    """
    found = jsonl.query(row, _names(identifier, QUERY_IDS), _names(text, QUERY_TEXTS))
    return found._replace(item=Query(found.item.id, found.item.text, _filled(found.item.metadata)))


def judgement(
    row: Row, split: str, of_query: str | None = None, of_document: str | None = None, graded: str | None = None
) -> Judgement:
    """The judgement in a row; columns that are None are guessed, and without a grade it is 1.

    Raises:
        BadRow: an id is missing or none, the grade is no whole number, or the split no name.
    """
    query_id, document_id = (
        clean_id(_there(row, name), row, name)
        for name in (_column(row, of_query, JUDGED_QUERIES), _column(row, of_document, JUDGED_DOCUMENTS))
    )
    name = graded if graded is not None else next((name for name in GRADES if name in row.fields), None)
    value = 1 if name is None else _there(row, name)
    value = grade(digits(value) if isinstance(value, str) else value, row)
    return Judgement(split_named(row.fields.get(SPLIT) or split, row), query_id, document_id, value, row.where)


def _names(given: str | None, usual: tuple[str, ...]) -> tuple[str, ...]:
    return usual if given is None else (given,)


def _column(row: Row, given: str | None, usual: tuple[str, ...]) -> str:
    """The column of an id: the one given, else the first of the usual ones."""
    found = given if given is not None else next((name for name in usual if name in row.fields), None)
    if found is None:
        wanted, there = (", ".join(f"`{name}`" for name in names) for names in (usual, row.fields))
        what = f"no id: none of {wanted} is there; the row has {there or 'no field'}"
        raise BadRow("missing id", what, where=row.where, row=row.fields)
    return found


def _there(row: Row, name: str) -> object:
    if name in row.fields:
        return row.fields[name]
    there = ", ".join(f"`{field}`" for field in row.fields) or "no field"
    raise BadRow("wrong columns", f"there is no `{name}`; the row has {there}", where=row.where, row=row.fields)


def _filled(metadata: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in metadata.items() if value is not None and value != ""}
