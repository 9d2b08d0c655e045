"""What a corpus answers by BM25, by each model, and by each model fused with BM25: through the real index.

Everything is computed once: BM25's index and its hits serve all fused answers, a text is encoded once a model.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import faiss
import numpy as np

from core.embed.proof.vectors import Seen
from core.embed.rows.row import Exam
from core.retrieval import index
from core.retrieval.fusion import fuse
from core.retrieval.spec import Bm25, Dense, Hybrid, Scored
from core.types import Hit

Rankings = Sequence[Sequence[str]]
"""For each query the ids found, best first."""


@dataclass(frozen=True)
class Answers:
    """Rankings of each system, and what they are made from."""

    rankings: Mapping[str, Rankings]
    """`bm25`; then, for each model, its name with `dense` and with `hybrid` at the end."""
    seen: Mapping[str, Seen]
    """Of each model: the vectors of the documents in the order of their ids, and the cosines of what was found."""


def answers(exam: Exam, bm25: Bm25, models: Mapping[str, Dense], k: int, folder: Path) -> Answers:
    """The best `k` of each query by each system; indexes go under `folder`. `models`: prefix of its name -> model."""
    texts = [query.text for query in exam.queries]
    opened = _built(exam, bm25, folder / "bm25")
    depth = Hybrid(type="hybrid", dense=next(iter(models.values()))).depth
    lexical = opened.search(texts, depth)
    rankings = {"bm25": _ids(lexical, k)}
    seen = {}
    for prefix, dense in models.items():
        place = folder / f"{prefix}dense"
        semantic = _built(exam, dense, place).search(texts, depth)
        rankings[f"{prefix}dense"] = _ids(semantic, k)
        rankings[f"{prefix}hybrid"] = _fused(
            opened, lexical, semantic, Hybrid(type="hybrid", bm25=bm25, dense=dense), k
        )
        stored = faiss.read_index(str(place / "dense" / "vectors.faiss"))
        cosines = np.array([hit.score for hits in semantic for hit in hits], np.float32)
        seen[prefix] = Seen(stored.reconstruct_n(0, stored.ntotal), cosines)
    return Answers(rankings, seen)


def _built(exam: Exam, spec: Bm25 | Dense, folder: Path) -> index.OpenIndex:
    index.build(exam.documents, spec, folder)
    return index.open_index(folder)


def _ids(found: Sequence[Sequence[Hit]], k: int) -> Rankings:
    return [[hit.document_id for hit in hits[:k]] for hits in found]


def _fused(
    opened: index.OpenIndex,
    lexical: Sequence[Sequence[Hit]],
    semantic: Sequence[Sequence[Hit]],
    spec: Hybrid,
    k: int,
) -> Rankings:
    """What the index of `spec` answers: the numbers of documents are those of any index of the same documents."""
    return [
        [
            opened.store.id(number)
            for number, _ in fuse(_numbered(opened, a), _numbered(opened, b), spec.alpha, spec.fusion, k)
        ]
        for a, b in zip(lexical, semantic, strict=True)
    ]


def _numbered(opened: index.OpenIndex, hits: Sequence[Hit]) -> list[Scored]:
    numbers = [(opened.store.number(hit.document_id), hit.score) for hit in hits]
    return [(number, score) for number, score in numbers if number is not None]
