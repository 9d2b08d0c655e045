"""The nouns of retrieval. Plain records; no behaviour, no imports of ours. Ids are strings everywhere."""

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


class Hit(NamedTuple):
    """A document found, with the score its engine gave."""

    document_id: str
    score: float


Qrels: TypeAlias = Mapping[str, Mapping[str, int]]
"""query id -> document id -> grade (0 = judged not relevant)."""

Run: TypeAlias = Mapping[str, Sequence[Hit]]
"""query id -> hits, best first."""
