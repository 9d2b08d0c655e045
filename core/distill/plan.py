"""Which documents are asked about, and which kinds of query: all drawn by the seed before the first request."""

import hashlib
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from core.distill.recipe import Recipe
from core.errors import DataError
from core.formats import beir
from core.types import Document

K = TypeVar("K", bound=str)


@dataclass(frozen=True)
class Plan:
    """The documents of a run; they are read anew whenever they are asked for, never all in memory."""

    recipe: Recipe
    num_documents: int
    """Documents of the corpus."""
    chosen: frozenset[int] | None
    """Places of the documents taken, from 0. None: all."""

    def __len__(self) -> int:
        return self.num_documents if self.chosen is None else len(self.chosen)

    def documents(self) -> Iterator[Document]:
        """The documents taken, in the order of the corpus."""
        for place, document in enumerate(beir.read_documents(self.recipe.data)):
            if self.chosen is None or place in self.chosen:
                yield document

    def split_of(self, document: Document) -> str:
        """`dev` or `train`; the pieces of a cut document, and whatever order they come in, fall on one side."""
        source = str(document.metadata.get("chunk_of", document.id))
        drawn = hashlib.sha256(f"{self.recipe.seed}/dev/{source}".encode()).digest()
        return "dev" if int.from_bytes(drawn[:8], "big") < self.recipe.dev * 2**64 else "train"


def of(recipe: Recipe) -> Plan:
    """The plan of a recipe; reads the corpus once.

    Raises:
        DataError: the corpus has no document.
    """
    count = sum(1 for _ in beir.read_documents(recipe.data))
    if not count:
        raise DataError("the corpus has no document", where=str(recipe.data))
    if recipe.limit is None or recipe.limit >= count:
        return Plan(recipe, count, None)
    rng = random.Random(f"{recipe.seed}/limit")  # noqa: S311 - no secret hangs on it
    return Plan(recipe, count, frozenset(rng.sample(range(count), recipe.limit)))


def deck(weights: Mapping[K, float], size: int, seed: str) -> Sequence[K] | None:
    """`size` names in random order, each as often as its weight says; None when nothing is steered.

    Shares are rounded by the largest remainder, so the counts are never more than one away from the exact share.
    """
    if not (total := sum(weights.values())):
        return None
    exact = {name: size * weight / total for name, weight in weights.items()}
    counts = {name: int(share) for name, share in exact.items()}
    by_remainder = sorted(exact, key=lambda name: (counts[name] - exact[name], name))
    for name in by_remainder[: size - sum(counts.values())]:
        counts[name] += 1
    cards = [name for name, count in counts.items() for _ in range(count)]
    random.Random(seed).shuffle(cards)  # noqa: S311 - no secret hangs on it
    return cards
