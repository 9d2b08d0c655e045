"""What mining did, in numbers; its size does not grow with the number of queries."""

import random
import statistics
from collections import Counter
from typing import Any, get_args

from core.distill.mine.case import Case
from core.distill.mine.judged import Survey
from core.distill.mine.rules import Rule

SAMPLED = 10_000


class Sample:
    """Numbers of a stream: their count, mean and ends, and the quartiles of at most 10,000 drawn from them.

    Source: Vitter 1985, algorithm R (doi:10.1145/3147.3165).
    """

    def __init__(self, seed: int) -> None:
        self._rng = random.Random(seed)  # noqa: S311 - no secret hangs on it
        self._count, self._sum = 0, 0.0
        self._ends: tuple[float, float] | None = None
        self._drawn: list[float] = []

    def add(self, value: float) -> None:
        self._count += 1
        self._sum += value
        low, high = self._ends or (value, value)
        self._ends = min(low, value), max(high, value)
        if len(self._drawn) < SAMPLED:
            self._drawn.append(value)
        elif (place := self._rng.randrange(self._count)) < SAMPLED:
            self._drawn[place] = value

    def summary(self) -> dict[str, float] | None:
        """None when there was no number."""
        if self._ends is None:
            return None
        low, high = self._ends
        quartiles = statistics.quantiles(self._drawn, n=4, method="inclusive") if self._count > 1 else [low] * 3
        values = (low, *quartiles, high, self._sum / self._count)
        names = ("min", "quartile_1", "median", "quartile_3", "max", "mean")
        return {name: round(value, 4) for name, value in zip(names, values, strict=True)}


class Tally:
    """Counts of all queries, as they come."""

    def __init__(self, seed: int) -> None:
        self._counts, self._removed, self._redrawn = Counter[str](), Counter[Rule](), Counter[Rule]()
        self._ranks, self._hard_scores, self._positive_scores = (Sample(seed) for _ in range(3))

    def __getitem__(self, name: str) -> int:
        return self._counts[name]

    def note_query(self, num_positives: int, num_in_index: int) -> None:
        """A query with so many positives, and so many of them in the index."""
        self._counts["queries"] += 1
        self._counts["positives"] += num_positives
        self._counts["queries_without_positive"] += not num_in_index

    def note_example(self, case: Case, *, positives_found: int) -> None:
        """A query whose example is complete; `positives_found` of its positives are among the hits."""
        self._removed.update(case.removed.values())
        self._redrawn.update(case.redrawn)
        self._counts += Counter(
            examples=1,
            hits=case.num_hits,
            positives_missed=positives_found < len(case.positives),
            hard=len(case.hard),
            easy=len(case.easy),
            short_of_hard=case.missing > 0,
            hard_missing=case.missing,
            filled=max(0, case.missing - case.short),
            still_short=case.short > 0,
            without=not case.hard and not case.easy,
        )
        for negative in case.hard:
            self._ranks.add(negative.rank)
            self._hard_scores.add(negative.score)
        for score in case.scores.values():
            self._positive_scores.add(score)

    def as_dict(self, survey: Survey) -> dict[str, Any]:
        """The report."""
        counts = self._counts
        return {
            "queries": counts["queries"],
            "examples": counts["examples"],
            "queries_without_positive_in_index": counts["queries_without_positive"],
            "queries_with_a_positive_outside_the_hits": counts["positives_missed"],
            "positives": {
                "judged": survey.positives,
                "not_in_index": survey.outside,
                "of_unknown_queries": survey.positives - counts["positives"],
            },
            "hits": {"searched": counts["hits"], "removed": _by_rule(self._removed)},
            "negatives": {"hard": counts["hard"], "easy": counts["easy"]},
            "easy_removed": _by_rule(self._redrawn),
            "shortage": {
                "queries_short_of_hard": counts["short_of_hard"],
                "hard_missing": counts["hard_missing"],
                "filled_with_easy": counts["filled"],
                "queries_still_short": counts["still_short"],
                "queries_without_negatives": counts["without"],
            },
            "hard_ranks": self._ranks.summary(),
            "hard_scores": self._hard_scores.summary(),
            "positive_scores": self._positive_scores.summary(),
        }


def _by_rule(counts: Counter[Rule]) -> dict[Rule, int]:
    return {rule: counts[rule] for rule in get_args(Rule) if counts[rule]}
