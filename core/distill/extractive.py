"""A teacher without a language model: titles, key phrases and sentences of a document as its queries.

A key phrase is a run of key words, which are the words of highest tf-idf in their document; one other word may stand
between two of them. A sentence longer than half of its document, or than `LONGEST`, gives a random span instead, so
no query is its whole document. The document keeps the sentence: the inverse cloze task takes it out of nine documents
in ten, but in a corpus with judgements a document is what it is.
"""

import math
import random
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, TypeAlias

from core import progress
from core.distill.draft import Draft
from core.distill.recipe import Extractive
from core.text import analyzer as analyzers
from core.text.normal import CJK
from core.text.sentences import sentences
from core.text.spec import Chinese
from core.text.units import units
from core.types import Document

Kind: TypeAlias = Literal["title", "phrase", "sentence"]

SHORTEST, LONGEST = 5, 48
"""Chinese characters and words of a sentence that serves as a query."""

SPAN = (0.1, 0.5)
"""Shortest and longest random span, as shares of the text (Contriever's)."""

KEY_SHARE, KEY_LEAST = 1 / 3, 4
"""Share of a document's distinct words that are key words, and how many are so in a short one."""

PHRASE_WORDS = 6
"""Words of a phrase at most."""

_RUN = re.compile(rf"[{CJK}]+|[^\W_{CJK}]+(?:[-./'’&][^\W_{CJK}]+)*|\s+|[^\s]")
"""A Chinese run, a word of other writing, white space, or a mark."""

_ITEM = re.compile(r"^\s*(?:[（(][一二三四五六七八九十0-9]{1,3}[）)]|[一二三四五六七八九十0-9]{1,3}[、)）．])")

_TRIMMED = " \t\n。！？；，、：…!?;,.:·—-“”\"'‘’（）()《》【】[]"


@dataclass(frozen=True, slots=True)
class _Word:
    """A word as it stands in the text."""

    text: str
    terms: tuple[str, ...]
    """What the analyzer makes of it; none for a stop word or a mark."""
    is_mark: bool = False
    """Whether it ends a phrase."""


def prepare(documents: Iterable[Document], spec: Extractive) -> "Teacher":
    """A teacher that knows in how many of `documents` each word is; one pass, memory for the vocabulary only."""
    terms, frequency, count = _words_only(spec), Counter[str](), 0
    for document in progress.track(documents, "extractive: count words"):
        frequency.update(set(terms(document.contents)))
        count += 1
    return Teacher(spec, terms, count, frequency)


class Teacher:
    """Writes queries for single documents; what it writes hangs on the document, its corpus and the generator alone."""

    def __init__(
        self, spec: Extractive, terms: analyzers.Terms, num_documents: int, frequency: Mapping[str, int]
    ) -> None:
        self._spec, self._num_documents, self._frequency = spec, num_documents, frequency
        self._terms = lru_cache(1 << 16)(terms)

    def write(self, document: Document, number_of_queries: int, rng: random.Random) -> list[Draft]:
        """Up to `number_of_queries` different queries, kinds drawn by weight; fewer when the document has no more."""
        words = list(self._words(document.contents))
        weights = self._weights(words)
        keys = _key_terms(weights)
        shares: dict[Kind, float] = {
            "title": self._spec.titles,
            "phrase": self._spec.phrases,
            "sentence": self._spec.sentences,
        }
        left: dict[Kind, list[str]] = {
            "title": [title] if (title := _trim(document.title)) and document.text.strip() else [],
            "phrase": _phrases(words, weights, keys, number_of_queries) if shares["phrase"] else [],
            "sentence": self._sentences(document.text, keys, rng) if shares["sentence"] else [],
        }
        found: dict[str, Kind] = {}
        while len(found) < number_of_queries and (kinds := [kind for kind in left if left[kind] and shares[kind]]):
            (kind,) = rng.choices(kinds, [shares[kind] for kind in kinds])
            found.setdefault(left[kind].pop(0), kind)
        return [
            Draft(document.id, number, query, character="", question_type=kind, difficulty="")
            for number, (query, kind) in enumerate(found.items(), start=1)
        ]

    def _sentences(self, text: str, keys: AbstractSet[str], rng: random.Random) -> list[str]:
        """The sentences with a key term in them, in random order; of a long one a random span."""
        most = min(LONGEST, len(units(text)) // 2)
        found: dict[str, None] = {}
        for sentence in sentences(text):
            words = list(self._words(sentence))
            if len(units(_trim(sentence))) > most:
                words = _span(words, most, rng)
            query = _trim("".join(word.text for word in words))
            if len(units(query)) >= SHORTEST and any(term in keys for word in words for term in word.terms):
                found[query] = None
        return rng.sample(list(found), len(found))

    def _weights(self, words: Sequence[_Word]) -> dict[str, float]:
        """tf-idf of each term: (1 + ln tf) · ln(N / df)."""
        counted = Counter(term for word in words for term in word.terms)
        return {
            term: (1 + math.log(count)) * math.log(max(1, self._num_documents) / max(1, self._frequency.get(term, 1)))
            for term, count in counted.items()
        }

    def _words(self, text: str) -> Iterator[_Word]:
        """All of `text`, in words, white space and marks."""
        for match in _RUN.finditer(text):
            run = match[0]
            if run.isspace():
                yield _Word(run, (), is_mark="\n" in run)
            elif not run[0].isalnum():
                yield _Word(run, (), is_mark=True)
            else:
                yield from self._cut(run)

    def _cut(self, run: str) -> Iterator[_Word]:
        """The words of a Chinese run; a run that the normal form changes (a date) and a Latin word stay whole."""
        terms = self._terms(run)
        if len(terms) > 1 and "".join(terms) == run:
            yield from (_Word(term, (term,)) for term in terms)
        else:
            yield _Word(run, tuple(terms))


def _words_only(spec: Extractive) -> analyzers.Terms:
    """The analyzer without the overlapping views of Chinese text: its terms stand one after the other."""
    chosen = spec.analyzer
    if isinstance(chosen, Chinese):
        chosen = chosen.model_copy(update={"views": ("words",)})
    return analyzers.from_spec(chosen).terms


def _key_terms(weights: Mapping[str, float]) -> set[str]:
    """The terms of highest weight, of equal ones the first in the text.

    A term of one character is none: in Chinese it is mostly a function word.
    """
    usable = [term for term, weight in weights.items() if weight > 0 and len(term) > 1]
    usable.sort(key=lambda term: -weights[term])
    return set(usable[: max(KEY_LEAST, math.ceil(KEY_SHARE * len(usable)))])


def _phrases(words: Sequence[_Word], weights: Mapping[str, float], keys: AbstractSet[str], most: int) -> list[str]:
    """Up to `most` key phrases, in an order in which each brings the most tf-idf that none before it has brought."""
    left: dict[str, set[str]] = {}
    for run in _runs(words, keys):
        text, terms = _trim("".join(word.text for word in run)), {term for word in run for term in word.terms}
        # A lone number or date is in many documents and means nothing without its words.
        if (len(terms) > 1 or len(units(text)) >= SHORTEST) and not all(term.isdigit() for term in terms & keys):
            left[text] = terms
    whole = _trim("".join(word.text for word in words))
    left.pop(whole, None)
    covered, found = set[str](), list[str]()

    def gain(text: str) -> float:
        return sum(weights[term] for term in sorted(left[text] - covered))

    while left and len(found) < most and gain(best := max(left, key=gain)) > 0:
        found.append(best)
        covered |= left.pop(best)
    return found


def _runs(words: Sequence[_Word], keys: AbstractSet[str]) -> Iterator[list[_Word]]:
    """Runs from key word to key word, with at most one other word between two of them."""
    run: list[_Word] = []
    gap: list[_Word] = []
    for word in words:
        is_key = any(term in keys for term in word.terms)
        others = [w for w in (*gap, word) if w.text.strip()]
        if word.is_mark or (len(others) > 1 and not is_key) or (is_key and _count(run) + len(others) > PHRASE_WORDS):
            if run:
                yield run
            run, gap = [], []
        if is_key:
            run, gap = [*run, *gap, word], []
        elif run and not word.is_mark:
            gap.append(word)
    if run:
        yield run


def _count(words: Sequence[_Word]) -> int:
    return sum(bool(word.text.strip()) for word in words)


def _span(words: list[_Word], most: int, rng: random.Random) -> list[_Word]:
    """A random span of whole words, of `most` characters and words at most; a single longer word is one."""
    sizes = [len(units(word.text)) for word in words]
    wanted = min(most, max(SHORTEST, round(rng.uniform(*SPAN) * sum(sizes))))
    start = rng.randrange(len(words))
    # Towards the end there may be less than wanted: then the span reaches back.
    while start > 0 and sum(sizes[start:]) < wanted:
        start -= 1
    end, size = start + 1, sizes[start]
    while end < len(words) and size + sizes[end] <= wanted:
        size += sizes[end]
        end += 1
    return words[start:end]


def _trim(text: str) -> str:
    """On one line, without the marks at its ends and without the number of a list's item."""
    return " ".join(_ITEM.sub("", text).split()).strip(_TRIMMED)
