"""Two ranked lists as one. `alpha` is the weight of BM25 in every method; the dense leg has 1 − alpha."""

from collections.abc import Sequence
from typing import TypeVar

from core.retrieval.spec import Fusion, ReciprocalRank, Weighted

D = TypeVar("D", int, str)
"""What a document is named by: its number, or its id."""


def fuse(
    bm25: Sequence[tuple[D, float]], dense: Sequence[tuple[D, float]], alpha: float, fusion: Fusion, k: int
) -> list[tuple[D, float]]:
    """The best `k` of both lists, best first, ties by document; a leg of weight 0 brings no document in."""
    total: dict[D, float] = {}
    for hits, weight in ((bm25, alpha), (dense, 1 - alpha)):
        if weight > 0:
            for document, value in _values(hits, fusion):
                total[document] = total.get(document, 0.0) + weight * value
    return sorted(total.items(), key=lambda item: (-item[1], item[0]))[:k]


def _values(hits: Sequence[tuple[D, float]], fusion: Fusion) -> list[tuple[D, float]]:
    match fusion:
        case Weighted():
            return _min_max(hits)
        case ReciprocalRank(k=constant):
            return [(document, 1 / (constant + rank)) for rank, (document, _) in enumerate(hits, start=1)]


def _min_max(hits: Sequence[tuple[D, float]]) -> list[tuple[D, float]]:
    """Scores mapped to [0, 1] within their list; all 1 where they are equal."""
    if not hits:
        return []
    high, low = hits[0][1], hits[-1][1]
    if high == low:
        return [(document, 1.0) for document, _ in hits]
    return [(document, (score - low) / (high - low)) for document, score in hits]
