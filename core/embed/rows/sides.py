"""Judged queries kept back from training, with all that shares a text or a document with them."""

import logging
import random
from collections.abc import Callable, Hashable, Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace

from core.embed.rows.held_out import MIN_HELD_OUT, wanted
from core.embed.rows.judgement import Judgement
from core.errors import DataError

log = logging.getLogger(__name__)


LEAST_KEPT = 0.8
"""Share of the documents that answer nothing which each side keeps when those on both sides are left out of one."""


@dataclass(frozen=True)
class Sides:
    """Judged queries that share no text and no document; each side in its given order."""

    training: list[Judgement]
    held_out: list[Judgement]

    @property
    def num_others(self) -> tuple[int, int]:
        """Documents that answer nothing, on each side."""
        return sum(len(j.others) for j in self.training), sum(len(j.others) for j in self.held_out)


def part(judgements: Sequence[Judgement], share: float, seed: int, where: str, most_others: int | None = None) -> Sides:
    """Keep back `share` of the queries, but 20 to 500 and at most half; queries that share an answer stay together.

    Documents are pieces of one (`id#3`) or whole; texts are equal when case, width, punctuation and white space are
    all that differs. A document that answers nothing binds nothing: it stays with the side where it answers a query,
    and where it answers on neither, with those held out. Of those left, a query keeps the first `most_others`.

    Where that would cost a side more than a fifth of them, as with mined negatives, which answer other queries, they
    stand on both, like the documents of an exam; but what is asked for is in training nowhere.

    Raises:
        DataError: there are fewer than two queries, or none can be parted from the rest.
    """
    chosen = _chosen(judgements, share, seed, where)
    training = [judgement for number, judgement in enumerate(judgements) if number not in chosen]
    held_out = [judgement for number, judgement in enumerate(judgements) if number in chosen]
    trained = {key for judgement in training for key in judgement.bound_by()}
    asked = {key for judgement in held_out for key in judgement.bound_by()}
    both = Sides(_without(training, asked, most_others), _without(held_out, frozenset(), most_others))
    held = _without(held_out, trained, most_others)
    known = asked.union(key for j in held for other in j.others for key in other.known_by())
    strict = Sides(_without(training, known, most_others), held)
    if all(kept >= LEAST_KEPT * of for kept, of in zip(strict.num_others, both.num_others, strict=True)):
        return strict
    log.info(
        "%s: documents that answer nothing stand on both sides of what is held out: else training would have %d of %d "
        "and the held-out queries %d of %d",
        where,
        *(number for pair in zip(strict.num_others, both.num_others, strict=True) for number in pair),
    )
    return both


def bound_together(items: Sequence[Iterable[Hashable]]) -> list[list[int]]:
    """Numbers of items in groups: two are in one group when a chain of shared keys leads from one to the other."""
    holders: dict[Hashable, list[int]] = {}
    keys = [list(dict.fromkeys(item)) for item in items]
    for number, of_item in enumerate(keys):
        for key in of_item:
            holders.setdefault(key, []).append(number)
    groups: list[list[int]] = []
    seen: set[int] = set()
    for start in range(len(keys)):
        if start in seen:
            continue
        seen.add(start)
        group = [start]
        for number in group:  # grows as it is read
            for key in keys[number]:
                new = [other for other in holders.pop(key, ()) if other not in seen]
                seen.update(new)
                group += new
        groups.append(sorted(group))
    return groups


def _chosen(judgements: Sequence[Judgement], share: float, seed: int, where: str) -> set[int]:
    """Numbers of those kept back: whole groups in a random order, as long as they fit."""
    groups = bound_together([list(judgement.bound_by()) for judgement in judgements])
    of_query = _counter(judgements)
    total = of_query(range(len(judgements)))
    if total < 2:
        what = f"there are too few queries to hold any out: {total}, 2 are needed and some hundred make sense"
        raise DataError(what, where=where)
    random.Random(f"{seed}/held out").shuffle(groups)  # noqa: S311 - no secret hangs on it
    goal, count = wanted(share, total), 0
    chosen: set[int] = set()
    for group in groups:
        size = of_query(group)
        if count + size <= goal:
            chosen.update(group)
            count += size
    if not chosen:
        largest = max(map(of_query, groups))
        raise DataError(
            f"no query can be held out: {largest:,} of {total:,} hang together by the documents that answer them",
            where=where,
            hint="give more queries about other documents, or hold out more: held_out=0.5",
        )
    if count < min(goal, MIN_HELD_OUT):
        log.warning("%s: only %d of %d queries can be held out: differences will be unsure", where, count, total)
    return chosen


def _counter(judgements: Sequence[Judgement]) -> Callable[[Iterable[int]], int]:
    return lambda numbers: len({judgements[number].query_id for number in numbers})


def _without(judgements: Iterable[Judgement], keys: AbstractSet[Hashable], most: int | None) -> list[Judgement]:
    """Without the other documents that have one of `keys`; of those that are left the first `most`."""
    found = []
    for judgement in judgements:
        others = tuple(other for other in judgement.others if keys.isdisjoint(other.known_by()))[:most]
        found.append(judgement if len(others) == len(judgement.others) else replace(judgement, others=others))
    return found
