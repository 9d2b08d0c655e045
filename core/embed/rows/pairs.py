"""Pairs of texts that belong together, made from documents alone. Every choice is drawn from the generator given."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from core.embed.rows.spec import Shares
from core.text.sentences import sentences
from core.text.units import units
from core.types import Document

Kind: TypeAlias = Literal["crops", "sentences", "titles", "questions"]

MIN_UNITS = 8
"""Shorter texts give no pair."""

SPAN = (0.1, 0.5)
"""Shortest and longest crop, as shares of the text."""


@dataclass(frozen=True, slots=True)
class Pair:
    """Two texts of one document. Among the positives of others, a model shall find the one of the query."""

    kind: Kind
    document_id: str
    query: str
    positive: str


def usable(document: Document) -> bool:
    """Whether the text is long enough for pairs."""
    return len(units(document.text)) >= MIN_UNITS


def draw(document: Document, shares: Shares, rng: random.Random, questions: Sequence[str] = ()) -> Pair:
    """One pair of a usable document, of a kind that it can give; `questions` are those that it answers."""
    kinds = _possible(document, shares, questions)
    (kind,) = rng.choices(kinds, [getattr(shares, kind) for kind in kinds])
    match kind:
        case "crops":
            parts = units(document.contents)
            return Pair(kind, document.id, _crop(parts, rng), _crop(parts, rng))
        case "sentences":
            return Pair(kind, document.id, *_cut_out(_sentences(document), 1, rng))
        case "titles":
            return _title(document)
        case "questions":
            return Pair(kind, document.id, rng.choice(questions), document.contents)


def question(document: Document, rng: random.Random) -> Pair:
    """A piece of a usable document as a question, and the document without that piece as its answer.

    The title where there is one, else a span of a quarter of the text: a sentence may be a mere greeting.
    """
    if document.title.strip():
        return _title(document)
    parts = units(document.text)
    return Pair("crops", document.id, *_cut_out(parts, len(parts) // 4, rng))


def _possible(document: Document, shares: Shares, questions: Sequence[str]) -> list[Kind]:
    kinds: list[Kind] = ["crops"]
    if shares.sentences and len(_sentences(document)) > 1:
        kinds.append("sentences")
    if shares.titles and document.title.strip():
        kinds.append("titles")
    if shares.questions and questions:
        kinds.append("questions")
    return kinds


def _title(document: Document) -> Pair:
    return Pair("titles", document.id, document.title, document.text)


def _sentences(document: Document) -> list[str]:
    return sentences(document.text.strip())


def _crop(parts: list[str], rng: random.Random) -> str:
    """A random span of a tenth to a half of the parts (Izacard et al. 2022, arXiv:2112.09118)."""
    length = max(1, round(rng.uniform(*SPAN) * len(parts)))
    start = rng.randint(0, len(parts) - length)
    return "".join(parts[start : start + length]).strip()


def _cut_out(parts: list[str], length: int, rng: random.Random) -> tuple[str, str]:
    """`length` successive parts and what is left without them (Lee et al. 2019, arXiv:1906.00300)."""
    start = rng.randint(0, len(parts) - length)
    rest = parts[:start] + parts[start + length :]
    return "".join(parts[start : start + length]).strip(), "".join(rest).strip()
