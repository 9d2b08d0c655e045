"""A metric over the steps, and what can be told of it beyond its noise. Standard library only."""

import math
from collections.abc import Sequence
from statistics import mean, median, variance
from typing import NamedTuple

FEW = 12
"""Fewer values of a loss than this show no trend."""

LEAST = 4
"""Values that a window has at least, however far apart they were logged."""

LASTS_AT_MOST = 0.8
"""Share of a step's noise that may last into the next; more cannot be told from a drift."""


def falls(losses: Sequence[float]) -> bool:
    """Whether the last quarter of a training's losses is lower than the first by more than the standard error of that
    difference; true where they are too few to tell."""
    if len(losses) < FEW:
        return True
    quarter = len(losses) // 4
    first, last = losses[:quarter], losses[-quarter:]
    error = math.sqrt((variance(first) + variance(last)) / quarter)
    return mean(first) - mean(last) > error


class Window(NamedTuple):
    """Values that are looked at together."""

    mean: float
    size: int
    """How many."""
    lowest: float
    step: int
    """Of its last value."""

    @classmethod
    def of(cls, values: Sequence[tuple[int, float]]) -> "Window":
        numbers = [value for _, value in values]
        return cls(mean(numbers), len(numbers), min(numbers), values[-1][0])


class Series:
    """The values of one metric, in windows of `window` steps; steps count from 1, and rise."""

    def __init__(self, window: int) -> None:
        self._window = window
        self._values: list[tuple[int, float]] = []
        self._squares = 0.0  # of the differences between a value and the next
        self.first: Window | None = None
        """None until it is full."""
        self.last: Window | None = None
        """None until it is full."""
        self.best: Window | None = None
        """The one with the highest mean so far."""
        self.windows = 0
        """How many fit beside each other into what was seen."""

    def add(self, step: int, value: float) -> None:
        """Take the value of a step, a finite one."""
        if self._values:
            self._squares += (value - self._values[-1][1]) ** 2
        self._values.append((step, value))
        if step < self._window or len(self._values) < LEAST:
            return
        recent = len(self._values) - 1
        while recent and self._values[recent - 1][0] > step - self._window:
            recent -= 1
        self.last = Window.of(self._values[min(recent, len(self._values) - LEAST) :])
        if self.first is None:
            self.first = self.last
        if self.best is None or self.last.mean > self.best.mean:
            self.best = self.last
        self.windows = min(step // self._window, len(self._values) // LEAST)

    def error(self, a: Window, b: Window) -> float:
        """Standard error of the difference of two windows' means.

        The noise of a value is told from the differences between neighbours, which a slow rise hardly changes
        (von Neumann 1941).
        """
        noise = math.sqrt(self._squares / 2 / max(1, len(self._values) - 1))
        return noise * math.sqrt(1 / a.size + 1 / b.size)

    def lasting_error(self, a: Window, b: Window) -> float:
        """The same for noise that lasts into the next steps, as that of a first-order autoregression does: then there
        is less of it between neighbours, and more in a mean. Its coefficient is told from the differences to the next
        value and to the one after it, by their medians, which a few jumps do not change."""
        numbers = [value for _, value in self._values]
        one, two = (median(map(_distance, numbers, numbers[lag:])) if len(numbers) > lag else 0.0 for lag in (1, 2))
        lasts = min(max((two / one) ** 2 - 1, 0.0), LASTS_AT_MOST) if one else 0.0
        return self.error(a, b) * math.sqrt(1 + lasts) / (1 - lasts)


def _distance(a: float, b: float) -> float:
    return abs(a - b)
