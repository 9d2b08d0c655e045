"""Judged questions to train on, beside the pairs that documents give by themselves."""

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from core import artifact
from core.errors import ContractError
from core.formats import beir, examples
from core.recipe import CORPUS
from core.types import Document

SPLIT = "train"
EXAMPLES = "train.jsonl"
"""Where `dr distill mine` writes its examples."""

log = logging.getLogger(__name__)


def read(folder: Path | None) -> dict[str, list[str]]:
    """Document id -> questions it answers, from the split `train` of a corpus or from mined examples; {} for None.

    Raises:
        ArtifactError, UsageError: it is no such artifact, or has no split `train`.
    """
    if folder is None:
        return {}
    artifact.read(folder, ("mine", *CORPUS.stages))
    found: dict[str, list[str]] = {}
    for document_id, question in _mined(folder) if (folder / EXAMPLES).exists() else _judged(folder):
        found.setdefault(document_id, []).append(question)
    return found


def check(questions: Mapping[str, Sequence[str]], documents: Iterable[Document], folder: Path | None) -> None:
    """Raises ContractError when none of the questions is answered by one of `documents`."""
    if not questions:
        return
    missed = len(questions) - sum(document.id in questions for document in documents)
    if missed == len(questions):
        raise ContractError(
            "none of the questions is answered by a document that is trained on",
            where=str(folder),
            hint="take the questions from the same `data` as the documents",
        )
    if missed:
        log.info("%d of %d documents with questions are held out or have no text of their own", missed, len(questions))


def _judged(folder: Path) -> Iterator[tuple[str, str]]:
    qrels = beir.read_qrels(folder, SPLIT)
    texts = {query.id: query.text for query in beir.read_queries(folder)}
    for query_id, judged in qrels.items():
        for document_id, grade in judged.items():
            if grade > 0 and query_id in texts:
                yield document_id, texts[query_id]


def _mined(folder: Path) -> Iterator[tuple[str, str]]:
    for found in examples.read(folder / EXAMPLES):
        for positive in found.positives:
            yield positive.id, found.query
