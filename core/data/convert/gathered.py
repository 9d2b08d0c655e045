"""Examples or graded pairs as a collection: each document and each query once, and a judgement for each of their pairs.

What has no id gets one from the digest of its text, so equal texts meet.
"""

from collections.abc import Iterator

import xxhash

from core.data.convert.kinds import Collection, Examples, Job, Pairs
from core.data.seen import Seen
from core.errors import DataError
from core.formats.lost import Lost
from core.formats.qrels import Judgement
from core.types import Document, Example, Passage, Query


def collection(source: Examples, job: Job) -> Collection:
    """The documents, queries and judgements of examples: positives have the grade 1, negatives 0.

    Raises:
        DataError: (while it streams) an id is used for two texts.
    """
    return Collection(
        lambda lost: _documents(source, lost, job),
        lambda lost: _queries(source, lost, job),
        lambda lost: _judgements(source, lost, job),
    )


def of_pairs(source: Pairs, threshold: float) -> Examples:
    """Every pair as an example of its own, for `collection` only: one that is no match has no positive."""

    def stream(lost: Lost) -> Iterator[Example]:
        for pair in source.stream(lost):
            passage = (Passage(pair.document, pair.document_id),)
            lost["rel"] += pair.label not in (0, 1)
            lost["weight"] += pair.weight != 1
            match = pair.label >= threshold
            yield Example(pair.query, passage if match else (), () if match else passage, pair.query_id)

    return Examples(stream)


def document_id(passage: Passage) -> str:
    """The passage's own id, or one made of its title and text."""
    return passage.id or f"d{_digest(passage.title, passage.text)}"


def query_id(example: Example) -> str:
    """The query's own id, or one made of its instruction and text."""
    return example.query_id or f"q{_digest(example.instruction, example.query)}"


def _digest(*parts: str) -> str:
    return xxhash.xxh3_128_hexdigest("\0".join(parts).encode())


class Once:
    """Which ids were met, and with which texts."""

    def __init__(self, noun: str, job: Job) -> None:
        self._ids, self._whole, self._noun, self._job = Seen(), Seen(), noun, job

    def first(self, identifier: str, text: str) -> bool:
        """Whether this id is met for the first time.

        Raises:
            DataError: it was met with another text.
        """
        new = self._whole.add(f"{identifier}\0{text}")
        if self._ids.add(identifier):
            return True
        if new:
            what = f"the {self._noun} id `{identifier}` has two texts; one of them begins {text.strip()[:40]!r}"
            hint = "give each text an id of its own, or leave the ids out: they are made from the texts then"
            raise DataError(what, where=str(self._job.input), hint=hint)
        return False


def _documents(source: Examples, lost: Lost, job: Job) -> Iterator[Document]:
    once = Once("document", job)
    for example in source.stream(lost):
        for passage in example.positives + example.negatives:
            lost["score"] += passage.score is not None
            identifier = document_id(passage)
            if once.first(identifier, f"{passage.title}\n{passage.text}"):
                yield Document(identifier, passage.text, passage.title)


def _queries(source: Examples, lost: Lost, job: Job) -> Iterator[Query]:
    once = Once("query", job)
    for example in source.stream(Lost()):
        identifier = query_id(example)
        metadata = dict(example.metadata)
        if example.instruction:
            metadata["instruction"] = example.instruction
        if once.first(identifier, f"{example.instruction}\n{example.query}"):
            yield Query(identifier, example.query, metadata)
        else:
            lost["metadata"] += bool(example.metadata)


def _judgements(source: Examples, lost: Lost, job: Job) -> Iterator[Judgement]:
    split, pairs, grades = job.split or "train", Seen(), Seen()
    for number, example in enumerate(source.stream(Lost()), 1):
        of_query, where = query_id(example), f"{job.input}: example {number}"
        for grade, passages in ((1, example.positives), (0, example.negatives)):
            for passage in passages:
                identifier = document_id(passage)
                new = grades.add(f"{of_query} {identifier} {grade}")
                if pairs.add(f"{of_query} {identifier}"):
                    yield Judgement(split, of_query, identifier, grade, where)
                else:
                    lost["contradictions"] += new
