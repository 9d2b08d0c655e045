"""Any of the three kinds as the one that a target is written from."""

from collections.abc import Iterator

from core.data.convert import gathered, grouping, judged
from core.data.convert.kinds import Collection, Examples, Job, Pairs, Source
from core.formats.lost import Lost
from core.types import Pair


def as_examples(source: Source, job: Job) -> Examples:
    """Pairs are grouped by their query, a collection by its judgements."""
    match source:
        case Examples():
            return source
        case Pairs():
            return grouping.examples(source, job)
        case Collection():
            return judged.examples(source, job)


def as_pairs(source: Source, job: Job) -> Pairs:
    """Positives have the label 1, negatives 0; judgements their grade as a share of the highest."""
    match source:
        case Examples():
            return Pairs(lambda lost: _pairs(source, lost))
        case Pairs():
            return source
        case Collection():
            return judged.pairs(source, job)


def as_collection(source: Source, job: Job) -> Collection:
    """Documents, queries and judgements; ids are made where there are none."""
    match source:
        case Examples():
            return gathered.collection(source, job)
        case Pairs():
            return gathered.collection(gathered.of_pairs(source, job.threshold), job)
        case Collection():
            return source


def _pairs(source: Examples, lost: Lost) -> Iterator[Pair]:
    for example in source.stream(lost):
        lost["instruction"] += bool(example.instruction)
        lost["metadata"] += bool(example.metadata)
        for label, passages in ((1.0, example.positives), (0.0, example.negatives)):
            for passage in passages:
                lost["title"] += bool(passage.title)
                lost["score"] += passage.score is not None
                yield Pair(example.query, passage.contents, label, 1.0, example.query_id, passage.id)
