"""Makes recipes/sample/world: a small world in which people and documents have different words for the same things.

`python -m tests.world` writes it anew. A query names three things and adds two words that say nothing; the documents
that it means name the same three things in words that no query has. Which word means which is told nowhere: a model
finds out by what it earns. No three things of a query are asked for together in two splits.
"""

import gzip
import json
import random
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parents[1] / "recipes" / "sample" / "world"

QUESTIONS = 600
"""Training queries that are questions too: the answer is the name of a document that they mean."""
THINGS, IDLE, FILLING = 60, 30, 60
"""Things that have a word of people and one of documents; words that say nothing; further words of documents."""
DOCUMENTS = 1500
QUERIES = {"train": 3000, "dev": 200, "test": 200}
COPIED, RIGHT, KEPT = 0.68, 0.3, 0.9
"""What the teacher makes of a word: leaves it so often, knows the documents' word so often, else takes a wrong one;
idle words it keeps so often."""


@dataclass(frozen=True)
class Words:
    """The vocabulary; the same place in `people` and `documents` means the same thing."""

    people: list[str]
    documents: list[str]
    idle: list[str]
    filling: list[str]


@dataclass(frozen=True)
class Asked:
    """A query, the things it names, and the documents that name them all."""

    text: str
    things: tuple[int, ...]
    relevant: list[int]


def words(draw: random.Random) -> Words:
    """Invented words of two syllables, each in one role only."""
    syllables = [consonant + vowel for consonant in "bdfgklmnprstvwz" for vowel in "aeiou"]
    drawn = draw.sample([first + second for first in syllables for second in syllables], 2 * THINGS + IDLE + FILLING)
    ends = [THINGS, 2 * THINGS, 2 * THINGS + IDLE]
    return Words(drawn[: ends[0]], drawn[ends[0] : ends[1]], drawn[ends[1] : ends[2]], drawn[ends[2] :])


def names(draw: random.Random) -> list[str]:
    """A word of three syllables for each document, which no other has."""
    syllables = [consonant + vowel for consonant in "bdfgklmnprstvwz" for vowel in "aeiou"]
    found: dict[str, None] = {}
    while len(found) < DOCUMENTS:
        found["".join(draw.choices(syllables, k=3))] = None
    return list(found)


def documents(known: Words, draw: random.Random) -> tuple[list[str], list[frozenset[int]]]:
    """Texts of four things each, and which these are."""
    texts, named = [], []
    for _ in range(DOCUMENTS):
        things = draw.sample(range(THINGS), 4)
        text = [known.documents[thing] for thing in things]
        text += draw.choices(known.filling, k=5) + draw.choices(known.idle, k=2)
        draw.shuffle(text)
        texts.append(" ".join(text))
        named.append(frozenset(things))
    return texts, named


def queries(known: Words, named: list[frozenset[int]], draw: random.Random) -> dict[str, list[Asked]]:
    """The queries of every split; three things that are asked for in one are asked for in no other."""
    found: dict[str, list[Asked]] = {}
    taken: set[tuple[int, ...]] = set()
    for split in ("test", "dev", "train"):  # the rare ones first
        of_split: list[Asked] = []
        here: set[tuple[int, ...]] = set()
        while len(of_split) < QUERIES[split]:
            things = tuple(sorted(draw.sample(sorted(draw.choice(named)), 3)))
            if things in taken or (things in here and split != "train"):
                continue
            here.add(things)
            text = [known.people[thing] for thing in things] + draw.sample(known.idle, 2)
            draw.shuffle(text)
            relevant = [number for number, of in enumerate(named) if of.issuperset(things)]
            of_split.append(Asked(" ".join(text), things, relevant))
        taken |= here
        found[split] = of_split
    return found


def taught(query: str, known: Words, draw: random.Random) -> str:
    """What a teacher of little knowledge makes of a query; never nothing."""
    meant = dict(zip(known.people, known.documents, strict=True))
    while True:
        said = []
        for word in query.split():
            chance = draw.random()
            if word not in meant:
                said += [word] if chance < KEPT else []
            elif chance < COPIED:
                said.append(word)
            else:
                said.append(meant[word] if chance < COPIED + RIGHT else draw.choice(known.documents))
        if said:
            return " ".join(said)


def files(seed: int = 0) -> dict[str, str]:
    """Name and text of every file that is made."""
    draw = random.Random(seed)
    known = words(draw)
    texts, named = documents(known, draw)
    asked = queries(known, named, draw)
    ids = {split: [f"{split}{number}" for number in range(len(of))] for split, of in asked.items()}
    every = [(id_, one) for split in QUERIES for id_, one in zip(ids[split], asked[split], strict=True)]
    rewritten = [taught(one.text, known, draw) for one in asked["train"]]
    titles = names(draw)
    made = {
        "corpus.jsonl.gz": _lines(
            {"_id": f"d{number}", "title": titles[number], "text": text} for number, text in enumerate(texts)
        ),
        "queries.jsonl.gz": _lines({"_id": id_, "text": one.text} for id_, one in every),
        "teacher.jsonl.gz": _lines(
            {"query": one.text, "rewritten": text} for one, text in zip(asked["train"], rewritten, strict=True)
        ),
        "questions.jsonl.gz": _lines(
            {"question": one.text, "golden_answers": [titles[number] for number in one.relevant]}
            for one in asked["train"][:QUESTIONS]
        ),
    }
    for split, of in asked.items():
        rows = [f"{id_}\td{number}\t1" for id_, one in zip(ids[split], of, strict=True) for number in one.relevant]
        made[f"qrels/{split}.tsv"] = "\n".join(["query-id\tcorpus-id\tscore", *rows, ""])
    return made


def write(folder: Path) -> None:
    """Write the files; those that end in .gz are the same bytes whenever they are written."""
    (folder / "qrels").mkdir(parents=True, exist_ok=True)
    for name, text in files().items():
        content = text.encode()
        (folder / name).write_bytes(gzip.compress(content, mtime=0) if name.endswith(".gz") else content)


def _lines(rows: Iterable[dict[str, object]]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


if __name__ == "__main__":
    write(FOLDER)
