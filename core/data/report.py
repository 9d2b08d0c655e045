"""What a check found: facts, how values are spread, and what is wrong."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from core.formats.rows import BadRow

PERCENTILES = (5, 50, 95, 99)
SHOWN_PLACES = 3
SHOWN_VALUES = 8
"""Different values that are shown one by one; of more, the spread is shown."""

N = TypeVar("N", int, float)


@dataclass(frozen=True)
class Report:
    """Facts of a corpus or of a file, and what is wrong with it; no problem means that every stage can use it."""

    place: Path
    facts: dict[str, Any]
    problems: list[str]
    table: Sequence[tuple[str, str]]

    def as_dict(self) -> dict[str, Any]:
        """The report as `--json` prints it."""
        kind = "file" if self.place.is_file() else "folder"
        return {kind: str(self.place), **self.facts, "problems": self.problems}

    def rows(self) -> list[tuple[str, str]]:
        """Label and value of each fact, as a table shows them."""
        return list(self.table)


@dataclass
class Faults:
    """Takes what is wrong: counts it by reason, and remembers the first places of each."""

    counts: Counter[str] = field(default_factory=Counter)
    places: dict[str, list[str]] = field(default_factory=dict)

    def __call__(self, bad: BadRow) -> None:
        self.note(bad.reason, bad.where or "")

    def note(self, reason: str, where: str) -> None:
        """Something is wrong at `where`."""
        self.counts[reason] += 1
        places = self.places.setdefault(reason, [])
        if len(places) < SHOWN_PLACES:
            places.append(where)

    def told(self) -> list[str]:
        """One line for each reason, the most frequent first."""
        return [f"{n:,} × {reason}, first at {_places(self.places[reason])}" for reason, n in self.counts.most_common()]


def percentiles(values: Counter[N]) -> dict[str, N]:
    """The smallest value that p per cent do not exceed (nearest rank), and the largest; from value -> count."""
    total, passed = values.total(), 0
    found: dict[str, N] = {}
    for value in sorted(values):
        passed += values[value]
        for p in PERCENTILES:
            if 100 * passed >= p * total:
                found.setdefault(f"p{p}", value)
    return {**found, "max": max(values)} if values else {}


def spread(values: Counter[float]) -> dict[str, Any]:
    """How often each value stands there when they are few; else how they are spread."""
    if len(values) <= SHOWN_VALUES:
        return {"counts": {f"{value:g}": values[value] for value in sorted(values)}}
    return {"spread": {"min": min(values), **percentiles(values)}}


def listed(counts: Mapping[str, float]) -> str:
    """`name: count` of each, in a line."""
    return ", ".join(f"{name}: {count:,}" for name, count in counts.items()) or "none"


def listed_spread(found: Mapping[str, Mapping[str, float]]) -> str:
    """What `spread` gives, in a line."""
    return listed(next(iter(found.values())))


def _places(places: Sequence[str]) -> str:
    """The first place whole, others in the same file by their line only."""
    first, *others = places
    head = first.rpartition(":")[0]
    return ", ".join(
        [first, *(place.removeprefix(f"{head}: ").removeprefix(head) if head else place for place in others)]
    )
