"""The files of a distillation, written in the order of the corpus."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import orjson

from core.distill.draft import Draft
from core.distill.plan import Plan
from core.distill.tried import FAILED
from core.distill.two_stage import Failure
from core.formats import beir
from core.types import Document, Query

DISTILLED = "distilled.jsonl"


def write(folder: Path, planned: Plan, kept: Sequence[Draft]) -> dict[str, int]:
    """Write queries, judgements and distilled.jsonl; the number of judgements of each split."""
    by_document: dict[str, list[Draft]] = {}
    for draft in kept:
        by_document.setdefault(draft.document_id, []).append(draft)
    qrels: dict[str, dict[str, dict[str, int]]] = {"train": {}, "dev": {}}
    with (folder / DISTILLED).open("wb") as file:
        for document in planned.documents():
            for draft in by_document.get(document.id, ()):
                qrels[planned.split_of(document)][draft.query_id] = {document.id: 1}
                file.write(_line(_row(document, draft)))
    beir.write_queries(folder, (Query(draft.query_id, draft.query, _origin(draft)) for draft in kept))
    return {split: beir.write_qrels(folder, split, judged) for split, judged in qrels.items() if judged}


def write_failures(folder: Path, failures: Iterable[Failure]) -> None:
    """Write failed.jsonl, where there is something to write."""
    rows = [
        {
            "document_id": failure.document_id,
            "number": failure.number,
            "step": failure.step,
            "reason": failure.reason,
            "detail": failure.detail,
            "attempts": failure.attempts,
        }
        for failure in failures
    ]
    (folder / FAILED).unlink(missing_ok=True)  # of a run that stopped after it
    if rows:
        (folder / FAILED).write_bytes(b"".join(map(_line, rows)))


def _row(document: Document, draft: Draft) -> dict[str, Any]:
    """A document and one query for it; the fields that tools for distilled corpora read."""
    row: dict[str, Any] = {"id": document.id, "contents": document.contents}
    if document.metadata:
        row["metadata"] = dict(document.metadata)
    return row | {
        "character": draft.character,
        "question_type": draft.question_type,
        "difficulty": draft.difficulty,
        "query": draft.query,
    }


def _origin(draft: Draft) -> dict[str, str]:
    origin = {
        "document": draft.document_id,
        "character": draft.character,
        "question_type": draft.question_type,
        "difficulty": draft.difficulty,
    }
    return {name: value for name, value in origin.items() if value}


def _line(row: dict[str, Any]) -> bytes:
    return orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE)
