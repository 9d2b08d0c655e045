"""Rows that Pyserini, FlashRAG, Search-R1 and Tevatron read as a corpus, and FlashRAG's questions.

Pyserini, FlashRAG  {"id", "contents"}: the title is the first line of `contents`
Tevatron            {"docid", "document_text"}
FlashRAG questions  {"id", "question", "golden_answers", "metadata"}

Metadata follows as `metadata`, which these tools pass over. Reading is `core.formats.jsonl`'s, with these names.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from core.formats import jsonl
from core.formats.fields import clean_id
from core.formats.lost import Lost
from core.formats.records import records
from core.formats.rows import BadRow, Found, OnBad, Row, fail
from core.types import Document, Query

TEVATRON_ID, TEVATRON_TEXT = ("docid",), ("document_text",)
ANSWERS = "golden_answers"
"""The field of the texts that answer a question."""


def documents(path: Path, on_bad: OnBad = fail) -> Iterator[Found[Document]]:
    """The documents of a file of Pyserini or FlashRAG."""
    return jsonl.convert(records(path, on_bad), _document, on_bad)


def tevatron_documents(path: Path, on_bad: OnBad = fail) -> Iterator[Found[Document]]:
    """The documents of a corpus of Tevatron."""
    return jsonl.convert(records(path, on_bad), _tevatron, on_bad)


def questions(path: Path, on_bad: OnBad = fail) -> Iterator[Found[Query]]:
    """The questions of FlashRAG, their answers as the metadata `golden_answers`."""
    return jsonl.convert(records(path, on_bad), _question, on_bad)


def rows(items: Iterable[Document], lost: Lost) -> Iterator[dict[str, Any]]:
    """The rows `id, contents`."""
    return _rows(items, lost, "id", "contents")


def tevatron_rows(items: Iterable[Document], lost: Lost) -> Iterator[dict[str, Any]]:
    """The rows `docid, document_text`."""
    return _rows(items, lost, "docid", "document_text")


def question_rows(items: Iterable[Query]) -> Iterator[dict[str, Any]]:
    """The rows `id, question, golden_answers, metadata`; a query whose answers are not known has none."""
    for item in items:
        metadata = dict(item.metadata)
        answers = metadata.pop(ANSWERS, [])
        yield {"id": item.id, "question": item.text, ANSWERS: answers, "metadata": metadata}


def _rows(items: Iterable[Document], lost: Lost, identifier: str, text: str) -> Iterator[dict[str, Any]]:
    for item in items:
        row: dict[str, Any] = {identifier: item.id, text: item.contents}
        if item.title:
            lost["title"] += 1
        if item.metadata:
            row["metadata"] = dict(item.metadata)
        yield row


def _document(row: Row) -> Found[Document]:
    fields = row.fields
    if len(fields) == 2 and type(fields.get("contents")) is str and type(name := fields.get("id")) is str:
        # Nearly every row of a large corpus; three times as fast as looking for other names.
        return Found(Document(clean_id(name, row, "id"), fields["contents"]), row.where, "id", "contents")
    return jsonl.document(row)


def _tevatron(row: Row) -> Found[Document]:
    return jsonl.document(row, TEVATRON_ID, TEVATRON_TEXT)


def _question(row: Row) -> Found[Query]:
    found = jsonl.query(row, ("id",), ("question",))
    answers = found.item.metadata.get(ANSWERS)
    if isinstance(answers, list) and all(isinstance(answer, str) for answer in answers):
        return found
    what = f"`{ANSWERS}` is {answers!r}, a list of texts is needed"
    raise BadRow("wrong columns", what, where=row.where, row=row.fields)
