"""The vectors of a model, by the encoder that indexes use: the same prompts, pooling and unit length."""

# N texts, H hidden

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from sentence_transformers import SentenceTransformer

from core.embed.models.spec import Model, Pretrained
from core.retrieval.encoder import Encoder, Vectors
from core.retrieval.spec import Dense

BATCH_SIZE = 32
"""Texts encoded at a time: a model that can just be trained must fit with them."""

COLLAPSED = 0.99
"""Mean cosine of two documents above which a model tells none from another."""


@contextlib.contextmanager
def measuring(model: SentenceTransformer) -> Iterator[Encoder]:
    """The encoder around a model that is being trained, which is put back as it was: each module in its mode."""
    training = [module for module in model.modules() if module.training]
    try:
        model.eval()
        yield Encoder(model, Dense(type="dense", model="", batch_size=BATCH_SIZE))
    finally:
        for module in training:
            module.training = True


def dense(path: Path, model: Model) -> Dense:
    """How the model in the folder `path` is indexed, when `model` is what the recipe says of it."""
    code = isinstance(model, Pretrained) and model.trust_remote_code
    return Dense(type="dense", model=str(path), batch_size=BATCH_SIZE, trust_remote_code=code)


def distinct(texts: Sequence[str]) -> tuple[list[str], list[int]]:
    """Each text once, and for each of `texts` its number among them: equal texts get one vector, so equal scores."""
    numbers = {text: number for number, text in enumerate(dict.fromkeys(texts))}
    return list(numbers), [numbers[text] for text in texts]


def mean_cosine(vectors_NH: Vectors) -> float:
    """Mean over all pairs of two different rows; rows of unit length."""
    count, sum_H = len(vectors_NH), vectors_NH.sum(axis=0, dtype=np.float64)
    own = float(np.square(vectors_NH, dtype=np.float64).sum())
    return (float(sum_H @ sum_H) - own) / (count * (count - 1)) if count > 1 else 0.0


class Seen(NamedTuple):
    """What a model gave for an exam."""

    documents: Vectors
    """[N, H] their vectors."""
    queries: Vectors
    """Their vectors, or their cosines with what they found: an array that another model would fill otherwise."""


def alarms(trained: Seen, base: Seen | None) -> list[str]:
    """What is wrong with the vectors, in words, whatever the scores say; empty when nothing is."""
    found = []
    if (mean := mean_cosine(trained.documents)) > COLLAPSED:
        before = f" ({mean_cosine(base.documents):.4f} before training)" if base else ""
        found.append(
            f"the vectors have collapsed: two documents have a mean cosine of {mean:.4f}{before}, "
            "so the model hardly tells one from another"
        )
    if base and all(_same(*sides) for sides in zip(trained, base, strict=True)):
        found.append("nothing was learnt: the trained model gives every text the vector that its base gives")
    return found


def _same(one: Vectors, other: Vectors) -> bool:
    return one.shape == other.shape and len(one) > 0 and np.allclose(one, other, rtol=0, atol=1e-6)
