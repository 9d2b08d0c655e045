"""A made corpus: two words for each thing, which never stand in one document but keep the same company."""

import random
from itertools import pairwise

import pytest

from core.formats import beir
from core.types import Document

THEMES, PER_THEME = 60, 4


@pytest.fixture(scope="session")
def themes():
    """For each thing ten made-up words: its two names, and eight words that are used of it."""
    rng = random.Random(3)
    syllables = [first + second for first in "bdfgklmnprstvz" for second in "aeiou"]
    words = sorted({"".join(rng.choices(syllables, k=4)) for _ in range(THEMES * 11)})
    rng.shuffle(words)
    return [words[start : start + 10] for start in range(0, THEMES * 10, 10)]


@pytest.fixture(scope="session")
def synonyms(themes):
    return [(theme[0], theme[1]) for theme in themes]


@pytest.fixture(scope="session")
def strangers(themes):
    """Names of different things."""
    return [(one[0], other[1]) for one, other in pairwise(themes)]


@pytest.fixture(scope="session")
def documents(themes):
    """240 documents of two sentences: one name of a thing, and six words of its company."""
    rng = random.Random(4)
    return [
        Document(f"d{number}-{which}", _text(theme[which % 2], rng.sample(theme[2:], 6), rng))
        for number, theme in enumerate(themes)
        for which in range(PER_THEME)
    ]


def _text(name, company, rng):
    words = [name, *company]
    rng.shuffle(words)
    return f"{' '.join(words[:4])}. {' '.join(words[4:])} shop."


@pytest.fixture(scope="session")
def corpus(documents, tmp_path_factory):
    """The documents as a folder of `dr data`, without the manifest that only `artifact.make` asks for."""
    folder = tmp_path_factory.mktemp("corpus")
    beir.write_documents(folder, documents)
    return folder
