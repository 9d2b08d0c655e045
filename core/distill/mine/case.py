"""One query on its way to an example. Nothing here depends on the queries that are mined with it."""

import random
from collections import Counter
from collections.abc import Iterator, Sequence, Set
from typing import NamedTuple

from core.distill.mine.easy import shuffled
from core.distill.mine.judged import Judged
from core.distill.mine.recipe import Limits, Recipe
from core.distill.mine.rules import Candidate, Guard, Rule, ceiling, sift
from core.retrieval.index import OpenIndex
from core.types import Document, Example, Hit, Passage


class Negative(NamedTuple):
    """A document that no rule has removed."""

    document: Document
    score: float
    rank: int


class Case:
    """A judged query, those documents of the index that answer it (at least one), and its hits."""

    def __init__(
        self, item: Judged, positives: Sequence[Document], hits: Sequence[Hit], index: OpenIndex, recipe: Recipe
    ) -> None:
        self.query, self.positives = item.query, positives
        self._index, self._recipe, self._guard = index, recipe, Guard(item.query.text, positives, item.positives)
        ids = {document.id for document in positives}
        self.scores = {document_id: score for document_id, score in hits if document_id in ids}
        """Those of the positives that are known."""
        self.num_hits = len(hits)
        self.removed: dict[str, Rule] = {}
        """Hits that a rule removed. Texts are looked into until there are enough, so of later hits nobody knows."""
        candidates = sift(hits, ids, recipe.window, recipe.limits, self.removed)
        self.hard = self._pass_the_guard(candidates)
        """Hard negatives in the order of choice: as many as are wanted, or as the reranker is to look at."""
        self.redrawn = Counter[Rule]()
        """Documents that were drawn as easy ones, and that a rule removed."""
        self.easy: list[Document] = []

    def _pass_the_guard(self, candidates: list[Candidate]) -> list[Negative]:
        recipe, found = self._recipe, list[Negative]()
        wanted = recipe.reranker.candidates if recipe.reranker and recipe.hard else recipe.hard
        if recipe.choose == "random":
            candidates = self._rng("hard").sample(candidates, len(candidates))
        for document_id, score, rank in candidates:
            if len(found) == wanted:
                break
            (document,) = self._index.documents([document_id])
            if rule := self._guard.take(document):
                self.removed[document_id] = rule
            else:
                found.append(Negative(document, score, rank))
        return found

    def pairs(self) -> list[tuple[str, str]]:
        """What a reranker reads: the query with each positive, then with each candidate."""
        documents = [*self.positives, *(negative.document for negative in self.hard)]
        return [(self.query.text, document.contents) for document in documents]

    def rerank(self, scores: Sequence[float], limits: Limits) -> None:
        """Take a reranker's scores, in the order of `pairs`, in the place of the index's."""
        own, others = scores[: len(self.positives)], scores[len(self.positives) :]
        self.scores = {document.id: score for document, score in zip(self.positives, own, strict=True)}
        bound, kept = ceiling(min(own), limits), list[Negative]()
        for negative, score in zip(self.hard, others, strict=True):
            if limits.max_score is not None and score > limits.max_score:
                self.removed[negative.document.id] = "reranker max_score"
            elif score >= bound:
                self.removed[negative.document.id] = "reranker margin"
            else:
                kept.append(negative._replace(score=score))
        self.hard = kept

    def complete(self) -> Example:
        """The example, with as many easy negatives as the recipe wants."""
        recipe = self._recipe
        closed = self.removed.keys() | {negative.document.id for negative in self.hard}
        self.hard = self.hard[: recipe.hard]
        filled = self.missing if recipe.on_shortage == "easy" else 0
        self.easy = list(self._draw(recipe.easy + filled, closed)) if recipe.easy + filled else []
        return Example(
            query=self.query.text,
            positives=tuple(_passage(document, self.scores.get(document.id)) for document in self.positives),
            negatives=(
                *(_passage(negative.document, negative.score) for negative in self.hard),
                *(_passage(document, None) for document in self.easy),
            ),
            query_id=self.query.id,
            metadata=self.query.metadata,
        )

    @property
    def missing(self) -> int:
        """Hard negatives that there are too few."""
        return max(0, self._recipe.hard - len(self.hard))

    @property
    def short(self) -> int:
        """Negatives of either kind that a complete example still lacks."""
        return self._recipe.hard + self._recipe.easy - len(self.hard) - len(self.easy)

    def _draw(self, wanted: int, closed: Set[str]) -> Iterator[Document]:
        """At most `wanted` documents of the corpus that no rule speaks against, and none of `closed`."""
        for number in shuffled(len(self._index), self._rng("easy")):
            document = self._index.store.document(number)
            if document.id in closed:
                continue
            if rule := self._guard.take(document):
                self.redrawn[rule] += 1
                continue
            yield document
            wanted -= 1
            if not wanted:
                return

    def _rng(self, purpose: str) -> random.Random:
        return random.Random(f"{self._recipe.seed}/{purpose}/{self.query.id}")  # noqa: S311 - no secret hangs on it


def _passage(document: Document, score: float | None) -> Passage:
    """A document as an example holds it; a title without a text is the text."""
    if document.text.strip():
        return Passage(document.text, document.id, document.title, score)
    return Passage(document.title, document.id, "", score)
