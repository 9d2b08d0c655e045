"""What a reward would have paid for rollouts that are saved: distribution, parts, groups, and the stored score."""

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

QUANTILES = (0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 1.0)
BINS = 10
SAME = 1e-9
"""Rewards of a group that lie within it give no gradient."""


@dataclass
class Ledger:
    """Collects numbers, one rollout after the other; keeps no text."""

    totals: list[float] = field(default_factory=list)
    parts: dict[str, list[float]] = field(default_factory=dict)
    """Numbers of every part and measure."""
    stored: list[tuple[float, float]] = field(default_factory=list)
    """Stored score and total, where a score was stored."""
    groups: dict[str, list[float]] = field(default_factory=dict)
    steps: dict[int, list[float]] = field(default_factory=dict)
    excluded: int = 0

    def add(self, numbers: Mapping[str, float] | None, *, group: str, stored: float | None, step: int | None) -> None:
        """Take a rollout; None: the reward left it out."""
        if numbers is None:
            self.excluded += 1
            return
        total = numbers["score"]
        self.totals.append(total)
        for name, number in numbers.items():
            self.parts.setdefault(name, []).append(number)
        self.groups.setdefault(group, []).append(total)
        if stored is not None:
            self.stored.append((stored, total))
        if step is not None:
            self.steps.setdefault(step, []).append(total)

    def as_dict(self) -> dict[str, object]:
        """The report; nothing is in it that the rollouts do not show (no groups: no share)."""
        return {
            "rollouts": len(self.totals),
            "excluded": self.excluded,
            "mean": _mean(self.totals),
            "standard_deviation": statistics.pstdev(self.totals) if self.totals else None,
            "quantiles": {
                f"{share:g}": number for share, number in zip(QUANTILES, quantiles(self.totals), strict=False)
            },
            "histogram": histogram(self.totals),
            "parts": {name: _mean(numbers) for name, numbers in self.parts.items() if name != "score"},
            "groups": self.group_facts(),
            "stored": self._stored_facts(),
            "steps": {step: _mean(numbers) for step, numbers in sorted(self.steps.items())},
        }

    def group_facts(self) -> dict[str, float] | None:
        """Groups of more than one response: how many, and the share whose rewards are all the same."""
        several = [numbers for numbers in self.groups.values() if len(numbers) > 1]
        if not several:
            return None
        flat = sum(max(numbers) - min(numbers) <= SAME for numbers in several)
        return {
            "groups": len(several),
            "responses": sum(map(len, several)),
            "without_variance": flat / len(several),
            "mean_of_best": statistics.fmean(max(numbers) for numbers in several),
            "mean_deviation": statistics.fmean(statistics.pstdev(numbers) for numbers in several),
        }

    def _stored_facts(self) -> dict[str, float | None] | None:
        if not self.stored:
            return None
        before, now = zip(*self.stored, strict=True)
        return {"rollouts": len(self.stored), "mean": statistics.fmean(before), "correlation": correlation(before, now)}


def quantiles(numbers: Sequence[float]) -> list[float]:
    """The numbers at `QUANTILES` of their order, between neighbours in a straight line; empty for none."""
    ordered = sorted(numbers)
    return [_at(ordered, share * (len(ordered) - 1)) for share in QUANTILES] if ordered else []


def _at(ordered: Sequence[float], place: float) -> float:
    low = math.floor(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


def histogram(numbers: Sequence[float]) -> list[tuple[float, float, int]]:
    """Lower end, upper end and count of equal bins from the least to the greatest; one bin where all are the same."""
    if not numbers:
        return []
    least, greatest = min(numbers), max(numbers)
    if greatest - least <= SAME:
        return [(least, greatest, len(numbers))]
    counts, width = [0] * BINS, (greatest - least) / BINS
    for number in numbers:
        counts[min(BINS - 1, int((number - least) / width))] += 1
    return [(least + place * width, least + (place + 1) * width, count) for place, count in enumerate(counts)]


def correlation(first: Sequence[float], second: Sequence[float]) -> float | None:
    """Pearson's; None where one of both never changes, or there are fewer than two."""
    if len(first) < 2 or max(first) - min(first) <= SAME or max(second) - min(second) <= SAME:
        return None
    return statistics.correlation(first, second)


def _mean(numbers: Sequence[float]) -> float | None:
    return statistics.fmean(numbers) if numbers else None
