"""Judged queries of a corpus, and its documents: all of them, or the judged ones and a sample."""

import random
from collections.abc import Set
from dataclasses import dataclass
from pathlib import Path

from core import progress
from core.formats import beir
from core.types import Document, Qrels, Query

MAX_DOCUMENTS = 100_000
"""More documents make an exam slower and hardly harder."""


@dataclass(frozen=True)
class Corpus:
    """What a split judges, and the documents among which answers are sought."""

    queries: list[Query]
    """Those that are judged, in the order of queries.jsonl."""
    qrels: Qrels
    judged: dict[str, Document]
    """The judged documents that are there and have a text."""
    documents: list[Document]
    """All, or the judged ones and a sample of the others; in the order of the corpus."""
    num_read: int

    @property
    def sampled(self) -> str:
        """In words, when not all documents are here; else empty."""
        if len(self.documents) == self.num_read:
            return ""
        return f", over {len(self.documents):,} of its {self.num_read:,} documents: the judged ones and a sample"


def read(folder: Path, split: str, seed: int, most: int = MAX_DOCUMENTS) -> Corpus:
    """What a split judges, in one pass over the corpus that keeps `most` documents, and all judged ones.

    Raises:
        UsageError: there is no such folder or split.
        DataError: a bad row.
    """
    qrels = beir.read_qrels(folder, split)
    wanted = {document for judged in qrels.values() for document in judged}
    queries = [query for query in beir.read_queries(folder) if query.id in qrels]
    kept, num_read = _kept(folder, wanted, most, random.Random(f"{seed}/corpus"))  # noqa: S311 - a sample, no secret
    judged = {document.id: document for document in kept if document.id in wanted}
    return Corpus(queries, qrels, judged, kept, num_read)


def _kept(folder: Path, wanted: Set[str], most: int, rng: random.Random) -> tuple[list[Document], int]:
    """The wanted documents and a uniform sample of the others (reservoir, Vitter 1985); how many had a text."""
    needed: list[tuple[int, Document]] = []
    others: list[tuple[int, Document]] = []
    number = 0
    for document in progress.track(beir.read_documents(folder), "embed: read the corpus"):
        if not document.contents.strip():
            continue
        if document.id in wanted:
            needed.append((number, document))
        elif len(others) < most:
            others.append((number, document))
        elif most and (place := rng.randint(0, number - len(needed))) < most:
            others[place] = (number, document)
        number += 1
    surplus = max(0, len(needed) + len(others) - most)
    if surplus:
        rng.shuffle(others)
        others = others[surplus:]
    return [document for _, document in sorted(needed + others, key=lambda kept: kept[0])], number
