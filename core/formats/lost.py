"""What a format cannot carry: counted while rows are written, told in words when all are."""

from collections import Counter
from collections.abc import Iterable
from typing import Literal, TypeAlias

from core.types import Pair, Passage

What = Literal[
    "title",
    "query_id",
    "document_id",
    "score",
    "instruction",
    "metadata",
    "grouping",
    "negatives",
    "examples",
    "rel",
    "weight",
    "grade",
    "no_positive",
    "contradictions",
    "documents",
    "queries",
    "judgements",
]

Lost: TypeAlias = Counter[What]
"""How many values of each kind the target does not have."""

MEANING: dict[What, str] = {
    "title": "titles are no field of their own any more: each stands on a line above its text",
    "query_id": "query ids",
    "document_id": "document ids",
    "score": "scores of passages",
    "instruction": "instructions",
    "metadata": "objects of metadata",
    "grouping": "positives that stood with another one of their query and are rows of their own now",
    "negatives": "negatives, so that every row has the same number (`--negatives` sets it)",
    "examples": "examples with fewer negatives than asked",
    "rel": "graded labels: they became 1 or 0 by the threshold",
    "weight": "weights other than 1",
    "grade": "grades: they became 1 or 0, or shares of the highest",
    "no_positive": "queries of which no document reaches the threshold",
    "contradictions": "judgements of a pair that was judged differently before: the first one counts",
    "documents": "documents for which the target has no place",
    "queries": "queries for which the target has no place",
    "judgements": "judgements for which the target has no place",
}
"""The kinds in words, to be read behind their number."""


def of_passages(passages: Iterable[Passage], lost: Lost, *, scores: bool = True) -> None:
    """Count what passages have beside their contents; scores only where the target has no place for them."""
    for passage in passages:
        if passage.title or passage.id or passage.score is not None:
            lost["title"] += bool(passage.title)
            lost["document_id"] += bool(passage.id)
            lost["score"] += scores and passage.score is not None


def of_pair(item: Pair, lost: Lost, *, weight: bool = True) -> None:
    """Count what a pair has beside its texts and its label; the weight only where the target has no place for it."""
    lost["query_id"] += bool(item.query_id)
    lost["document_id"] += bool(item.document_id)
    lost["weight"] += weight and item.weight != 1
