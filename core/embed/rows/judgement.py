"""Queries with what was judged for them: the form that every source of rows but documents goes through."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from core.embed.rows.ids import of_text, whole
from core.embed.rows.row import Row
from core.errors import DataError
from core.text.near import exact
from core.types import Document, Query


class Answer(NamedTuple):
    """A document as it was judged for a query."""

    id: str
    text: str
    key: int
    """Texts share it that differ in case, width, punctuation and white space only."""
    label: float | None = None
    """Relevance or a teacher's score; None: nobody gave one."""
    weight: float = 1.0

    def known_by(self) -> tuple[str, int]:
        """Its document, whole, and its text."""
        return whole(self.id), self.key


class Texts:
    """Makes answers; each text is held and brought into its normal form once."""

    def __init__(self) -> None:
        self._seen: dict[str, tuple[str, int]] = {}

    def answer(self, text: str, id_: str = "", label: float | None = None, weight: float = 1.0) -> Answer:
        """An answer, with an id made from its text when it has none."""
        if (known := self._seen.get(text)) is None:
            known = self._seen[text] = (text, exact(text))
        return Answer(id_ or of_text(text), *known, label, weight)


@dataclass(frozen=True, slots=True)
class Judgement:
    """A query, the documents that answer it, and those that do not."""

    query: str
    query_id: str
    answers: tuple[Answer, ...]
    others: tuple[Answer, ...]
    """They bind nothing: one that stands on the other side is left out."""
    where: str = ""
    """File and line, where it has one."""

    def all(self) -> tuple[Answer, ...]:
        """Answers first."""
        return self.answers + self.others

    def bound_by(self) -> Iterator[str | int]:
        """What it shares with those that it belongs together with: its text, and what its answers are known by."""
        yield exact(self.query)
        for answer in self.answers:
            yield from answer.known_by()


def same_queries(judgements: Iterable[Judgement]) -> list[Judgement]:
    """With one id for queries of one text, the first one's: else their answers would be each other's negatives."""
    first: dict[int, str] = {}
    found = []
    for judgement in judgements:
        query_id = first.setdefault(exact(judgement.query), judgement.query_id)
        if query_id != judgement.query_id:
            judgement = Judgement(judgement.query, query_id, judgement.answers, judgement.others, judgement.where)
        found.append(judgement)
    return found


def labelled(judgements: Iterable[Judgement]) -> Iterator[Row]:
    """A row for each document of each query, with its label."""
    for judgement in judgements:
        for answer in judgement.all():
            labels = None if answer.label is None else (answer.label,)
            yield Row(judgement.query, (answer.text,), judgement.query_id, (answer.id,), labels, answer.weight)


def queries(judgements: Iterable[Judgement]) -> list[Query]:
    """The queries, each once."""
    return [Query(query_id, text) for query_id, text in {j.query_id: j.query for j in judgements}.items()]


def documents(judgements: Sequence[Judgement]) -> list[Document]:
    """The documents, each once.

    Raises:
        DataError: one id has two texts.
    """
    found: dict[str, Answer] = {}
    for judgement in judgements:
        for answer in judgement.all():
            if found.setdefault(answer.id, answer).text != answer.text:
                raise DataError(
                    f"the document id `{answer.id}` has two texts",
                    where=judgement.where,
                    hint="give each text an id of its own, or none",
                )
    return [Document(answer.id, answer.text) for answer in found.values()]
