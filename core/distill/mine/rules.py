"""Which hits may serve as negatives. Rules look at one candidate after the other; the first that removes it counts."""

import math
from collections.abc import Sequence, Set
from typing import Literal, NamedTuple

from core.distill.mine.recipe import Limits, Window
from core.text.normal import normalise
from core.types import Document, Hit

Rule = Literal[
    "judged positive",
    "first ranks",
    "max_score",
    "margin",
    "same text",
    "same source",
    "repeated text",
    "reranker max_score",
    "reranker margin",
]


class Candidate(NamedTuple):
    """A hit that no rule on ranks and scores has removed."""

    document_id: str
    score: float
    rank: int
    """From 1, over all hits."""


def sift(
    hits: Sequence[Hit], positives: Set[str], window: Window, limits: Limits, removed: dict[str, Rule]
) -> list[Candidate]:
    """The hits of a query, best first, that ranks and scores allow; notes for each other one the rule in `removed`."""
    bound = ceiling(lowest_positive(hits, positives), limits)
    highest = math.inf if limits.max_score is None else limits.max_score
    candidates: list[Candidate] = []
    for rank, (document_id, score) in enumerate(hits, start=1):
        if document_id in positives:
            removed[document_id] = "judged positive"
        elif rank <= window.skip:
            removed[document_id] = "first ranks"
        elif score > highest:
            removed[document_id] = "max_score"
        elif score >= bound:
            removed[document_id] = "margin"
        else:
            candidates.append(Candidate(document_id, score, rank))
    return candidates


def lowest_positive(hits: Sequence[Hit], positives: Set[str]) -> float:
    """The lowest score of the positives; −infinity when one of them is not among the hits."""
    found = [score for document_id, score in hits if document_id in positives]
    return min(found) if len(found) == len(positives) else -math.inf


def ceiling(positive: float, limits: Limits) -> float:
    """The score that a negative stays below by the margins: infinity when none is asked for."""
    bounds: list[float] = []
    if limits.absolute_margin is not None:
        bounds.append(positive - limits.absolute_margin)
    if limits.relative_margin is not None:
        bounds.append(positive - limits.relative_margin * abs(positive) if math.isfinite(positive) else positive)
    return min(bounds, default=math.inf)


def same_text(text: str) -> str:
    """A form in which texts are equal that differ in white space, case, width or the way a date is written."""
    return "".join(normalise(text).split())


class Guard:
    """The rules that look into a document: what it may not repeat."""

    def __init__(self, query: str, positives: Sequence[Document], judged: Sequence[str] = ()) -> None:
        """`judged` are the ids of all that answer the query, of which the index may have the pieces only."""
        self._texts = {_body(document) for document in positives} | {same_text(query)}
        self._sources = {_source(document) for document in positives} | set(judged)
        self._taken: set[str] = set()

    def take(self, document: Document) -> Rule | None:
        """Why this document is no negative of the query; None when it is, and then no other with its text will be."""
        if _source(document) in self._sources:
            return "same source"
        body = _body(document)
        if body in self._texts:
            return "same text"
        if body in self._taken:
            return "repeated text"
        self._taken.add(body)
        return None


def _body(document: Document) -> str:
    return same_text(document.text.strip() or document.title)


def _source(document: Document) -> str:
    """The document that this one is a piece of, or itself."""
    return str(document.metadata.get("chunk_of", document.id))
