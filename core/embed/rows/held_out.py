"""Documents kept back from training, so that the report asks for texts the model never saw."""

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from core import digest
from core.embed.rows import pairs
from core.errors import DataError
from core.types import Document

MIN_HELD_OUT = 20
MAX_HELD_OUT = 500
"""More questions make the report no surer, and each document kept back is one that the model does not learn."""

MIN_DOCUMENTS = 50


@dataclass(frozen=True)
class Split:
    """Documents with different texts on two sides; both in an order drawn from the seed."""

    training: Sequence[Document]
    held_out: Sequence[Document]
    num_read: int
    """Documents of the corpus, with those too short for pairs and those whose text was there before."""


def wanted(share: float, total: int) -> int:
    """How many of `total` are kept back: `share` of them, but 20 to 500, and no more than half."""
    return min(max(MIN_HELD_OUT, round(share * total)), MAX_HELD_OUT, total // 2)


def split(documents: Iterable[Document], share: float, rng: random.Random) -> Split:
    """Keep back `share` of the documents, but 20 to 500 of them; the pieces of a cut document stay together.

    Copies of a text and texts too short for pairs stand on neither side. Of a cut document that is kept back, one
    piece is asked for.

    Raises:
        DataError: there are fewer than 50 different texts that give pairs.
    """
    found: dict[str, Document] = {}
    num_read = 0
    for document in documents:
        num_read += 1
        if pairs.usable(document):
            found.setdefault(digest.of_text("".join(document.text.split())), document)
    if len(found) < MIN_DOCUMENTS:
        raise DataError(
            f"the corpus is too small to learn from: {len(found)} of its {num_read} documents have a text of their own "
            f"of at least {pairs.MIN_UNITS} words or Chinese characters, {MIN_DOCUMENTS} are needed",
            hint="use BM25 alone, or a trained model by its name: `dense.model` of an index recipe",
        )
    whole = list(_by_source(found.values()).values())
    rng.shuffle(whole)
    count = wanted(share, len(whole))
    training = [piece for pieces in whole[count:] for piece in pieces]
    rng.shuffle(training)
    return Split(training=training, held_out=[rng.choice(pieces) for pieces in whole[:count]], num_read=num_read)


def _by_source(documents: Iterable[Document]) -> dict[str, list[Document]]:
    """Documents by the one they were cut from, or by their own id."""
    groups: dict[str, list[Document]] = {}
    for document in documents:
        groups.setdefault(str(document.metadata.get("chunk_of", document.id)), []).append(document)
    return groups
