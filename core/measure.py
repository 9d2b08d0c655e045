"""Ranking measures over one query; standard library only, so that rewards can run them in another interpreter.

The definitions are trec_eval's: gain is the grade itself, which may be a fraction; an unjudged document and a negative
grade have gain 0.
Every function returns 0.0 for a query without a relevant document.
"""

import math
from collections.abc import Mapping, Sequence


def ndcg(ranking: Sequence[str], grades: Mapping[str, float], k: int) -> float:
    """Normalised discounted cumulative gain of the first `k`, in [0, 1].

    Source: Jarvelin and Kekalainen 2002, doi:10.1145/582415.582418, with trec_eval's discount 1 / log2(rank + 1).
    """
    ideal = sorted((grade for grade in grades.values() if grade > 0), reverse=True)
    best = _dcg(ideal[:k])
    return _dcg([max(grades.get(id_, 0), 0) for id_ in ranking[:k]]) / best if best else 0.0


def recall(ranking: Sequence[str], grades: Mapping[str, float], k: int) -> float:
    """Share of the relevant documents that are among the first `k`."""
    relevant = _relevant(grades)
    return len(relevant & set(ranking[:k])) / len(relevant) if relevant else 0.0


def reciprocal_rank(ranking: Sequence[str], grades: Mapping[str, float], k: int) -> float:
    """1 / rank of the first relevant document; 0.0 when none is among the first `k`."""
    relevant = _relevant(grades)
    return next((1 / rank for rank, id_ in enumerate(ranking[:k], start=1) if id_ in relevant), 0.0)


def hit(ranking: Sequence[str], grades: Mapping[str, float], k: int) -> float:
    """1.0 when a relevant document is among the first `k`, else 0.0."""
    return float(not _relevant(grades).isdisjoint(ranking[:k]))


def average_precision(ranking: Sequence[str], grades: Mapping[str, float]) -> float:
    """Mean of the precision at the rank of each relevant document; one that is not found counts 0."""
    relevant, found, total = _relevant(grades), 0, 0.0
    for rank, id_ in enumerate(ranking, start=1):
        if id_ in relevant:
            found += 1
            total += found / rank
    return total / len(relevant) if relevant else 0.0


def _relevant(grades: Mapping[str, float]) -> set[str]:
    return {id_ for id_, grade in grades.items() if grade > 0}


def _dcg(gains: Sequence[float]) -> float:
    return sum(gain / math.log2(rank + 1) for rank, gain in enumerate(gains, start=1))
