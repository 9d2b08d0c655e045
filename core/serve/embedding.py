"""The work behind `/v1/embeddings` and `/similarity`: texts of many requests, embedded together."""

from collections.abc import Sequence
from typing import Literal, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

Kind = Literal["query", "document"]
"""Which prompt of the model's contract a text gets."""

Vectors = npt.NDArray[np.float32]


class Text(NamedTuple):
    """A text to embed."""

    kind: Kind
    text: str


class Embedded(NamedTuple):
    """A text's unit vector (zero when the model knows nothing of the text), and the tokens that were read for it."""

    vector: Vectors
    num_tokens: int


class Encoder(Protocol):
    """What embedding needs of a loaded model."""

    def queries(self, texts: Sequence[str]) -> Vectors:
        """[len(texts), dimension] unit vectors."""
        ...

    def documents(self, texts: Sequence[str]) -> Vectors:
        """[len(texts), dimension] unit vectors."""
        ...

    def query_tokens(self, texts: Sequence[str]) -> list[int]:
        """Tokens that are read of each."""
        ...

    def document_tokens(self, texts: Sequence[str]) -> list[int]:
        """Tokens that are read of each."""
        ...


def embed(encoder: Encoder, texts: Sequence[Text]) -> list[Embedded]:
    """Each text's vector and tokens, in order; queries are encoded together, and documents."""
    rows: dict[Text, Embedded] = {}
    for kind, encode, count in (
        ("query", encoder.queries, encoder.query_tokens),
        ("document", encoder.documents, encoder.document_tokens),
    ):
        if asked := [text for text in texts if text.kind == kind]:
            plain = [text.text for text in asked]
            rows.update(zip(asked, map(Embedded, encode(plain), count(plain)), strict=True))
    return [rows[text] for text in texts]


def cut(vector: Vectors, dimensions: int | None) -> Vectors:
    """The first `dimensions` of a Matryoshka vector at length 1 again; None keeps all."""
    if dimensions is None or dimensions == len(vector):
        return vector
    length = np.linalg.norm(vector[:dimensions])
    return vector[:dimensions] / length if length else vector[:dimensions]
