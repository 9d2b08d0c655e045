"""A query as a teacher wrote it, before the gates."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Draft:
    """One query for one document."""

    document_id: str
    number: int
    """Which of the document's queries it is, from 1; its id is `<document>-q<number>`."""
    query: str
    character: str
    """The persona that asks; empty: none."""
    question_type: str
    difficulty: str

    @property
    def query_id(self) -> str:
        return f"{self.document_id}-q{self.number}"
