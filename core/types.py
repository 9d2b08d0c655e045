"""The nouns of retrieval and of its training. Plain records: no behaviour, no imports of ours. Ids are strings."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeAlias


@dataclass(frozen=True, slots=True)
class Document:
    """One retrievable text. `metadata` keeps the fields of a structured record."""

    id: str
    text: str
    title: str = ""
    metadata: Mapping[str, Any] = field(default_factory=dict)

    @property
    def contents(self) -> str:
        """Title and text as one string: what is indexed, encoded and returned by the server."""
        return f"{self.title}\n{self.text}" if self.title else self.text


@dataclass(frozen=True, slots=True)
class Query:
    """One information need in words."""

    id: str
    text: str
    metadata: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Passage:
    """A document as a training example names it; only its text is sure to be known."""

    text: str
    id: str = ""
    title: str = ""
    score: float | None = None
    """What a teacher or a retriever gave it for the query."""

    @property
    def contents(self) -> str:
        """Title and text as one string."""
        return f"{self.title}\n{self.text}" if self.title else self.text


@dataclass(frozen=True, slots=True)
class Example:
    """A query with documents that answer it and documents that do not: what contrastive training reads."""

    query: str
    positives: tuple[Passage, ...]
    negatives: tuple[Passage, ...] = ()
    query_id: str = ""
    instruction: str = ""
    """Task that goes before the query; empty: none."""
    metadata: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Pair:
    """A graded pair: what regression on similarities reads."""

    query: str
    document: str
    label: float
    """Relevance, 0 to 1."""
    weight: float = 1.0
    """How much the pair counts in training."""
    query_id: str = ""
    document_id: str = ""


class Hit(NamedTuple):
    """A document found, with the score its engine gave."""

    document_id: str
    score: float


Qrels: TypeAlias = Mapping[str, Mapping[str, int]]
"""query id -> document id -> grade (0 = judged not relevant)."""

Run: TypeAlias = Mapping[str, Sequence[Hit]]
"""query id -> hits, best first."""
