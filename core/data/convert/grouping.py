"""Graded pairs of one query brought together as one example."""

import logging
from collections.abc import Iterator
from itertools import groupby

from core.data.convert.kinds import Examples, Job, Pairs
from core.data.convert.shelf import Shelf
from core.data.seen import Seen
from core.formats.lost import Lost
from core.types import Example, Pair, Passage

log = logging.getLogger(__name__)


def examples(pairs: Pairs, job: Job) -> Examples:
    """An example for each query, in the order in which the queries come first; see `example`.

    Where the pairs of a query stand apart from each other, they go through a temporary file, which is told.
    """
    apart = _first_apart(pairs)
    shelf = None
    if apart is not None:
        told = "the pairs of a query do not all follow each other (pair %s returns to one): a temporary file takes them"
        log.info(told, f"{apart:,}")
        shelf = _shelve(pairs, job)

    def stream(lost: Lost) -> Iterator[Example]:
        groups = _adjacent(pairs, lost) if shelf is None else _shelved(shelf)
        for group in groups:
            if found := example(group, job.threshold, lost):
                yield found

    return Examples(stream)


def example(group: list[Pair], threshold: float, lost: Lost) -> Example | None:
    """The example of a query: pairs at the threshold or above are positives; None when there is no positive.

    Labels become scores of the passages, unless all of them are 1 or 0. A document that stands on both sides of the
    threshold stays on the side where it came first.
    """
    graded = any(pair.label not in (0, 1) for pair in group)
    sides: dict[str, bool] = {}
    positives: list[Passage] = []
    negatives: list[Passage] = []
    for pair in group:
        match = pair.label >= threshold
        if sides.setdefault(pair.document, match) != match:
            lost["contradictions"] += 1
            continue
        passage = Passage(pair.document, pair.document_id, score=pair.label if graded else None)
        (positives if match else negatives).append(passage)
        lost["weight"] += pair.weight != 1
    if not positives:
        lost["no_positive"] += 1
        return None
    return Example(group[0].query, tuple(positives), tuple(negatives), group[0].query_id)


def _key(pair: Pair) -> tuple[str, str]:
    return pair.query_id, pair.query


def _adjacent(pairs: Pairs, lost: Lost) -> Iterator[list[Pair]]:
    return (list(group) for _, group in groupby(pairs.stream(lost), _key))


def _shelved(shelf: Shelf) -> Iterator[list[Pair]]:
    return ([Pair(*value) for value in values] for values in shelf.groups())


def _first_apart(pairs: Pairs) -> int | None:
    """Number of the first pair whose query was left before; None when the pairs of every query follow each other."""
    seen, before = Seen(), None
    for number, pair in enumerate(pairs.stream(Lost()), 1):
        if (key := _key(pair)) != before:
            if not seen.add("\0".join(key)):
                return number
            before = key
    return None


def _shelve(pairs: Pairs, job: Job) -> Shelf:
    shelf = job.shelf("pairs")
    for pair in pairs.stream(Lost()):
        row = (pair.query, pair.document, pair.label, pair.weight, pair.query_id, pair.document_id)
        shelf.add("\0".join(_key(pair)), row)
    return shelf
