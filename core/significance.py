"""Is the difference between two systems more than luck? One tool for evaluation, training and tuning.

Scores are paired: position i of both lists is the same query. The test is Fisher's paired randomisation test, the
interval a percentile bootstrap over queries; Smucker, Allan and Carterette 2007 (doi:10.1145/1321440.1321528)
compare them with the t-test for retrieval.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from core.errors import DataError

ALPHA = 0.05
"""Level at which a difference is called significant."""

SAMPLES = 10_000
EXACT_QUERIES = 13
"""Up to this many differing queries all 2^n sign patterns are counted instead of sampled."""

CHUNK = 1_000


@dataclass(frozen=True)
class Comparison:
    """System b against system a on one measure, over the same queries."""

    num_queries: int
    mean_a: float
    mean_b: float
    difference: float
    """mean_b - mean_a."""
    low: float
    """Lower end of the 95 % interval of the difference."""
    high: float
    """Upper end of it."""
    p_value: float
    """Two-sided: how often random swapping of the systems gives a difference at least this large."""
    wins: int
    """Queries on which b is better."""
    losses: int
    adjusted_p: float
    """The p-value adjusted for the other comparisons made with it; the same where it is the only one."""

    @property
    def verdict(self) -> str:
        """`better`, `worse` or `no significant difference`, of b against a, by the adjusted p-value."""
        if self.adjusted_p >= ALPHA or self.difference == 0:
            return "no significant difference"
        return "better" if self.difference > 0 else "worse"

    def as_dict(self) -> dict[str, Any]:
        return {**asdict(self), "verdict": self.verdict}


def compare(a: Sequence[float], b: Sequence[float], *, seed: int = 0) -> Comparison:
    """Compare per-query scores of two systems.

    Raises:
        DataError: no query, or lists of different length.
    """
    if len(a) != len(b) or len(a) == 0:
        raise DataError(f"paired scores are needed, got {len(a)} and {len(b)}")
    first, second = np.asarray(a, np.float64), np.asarray(b, np.float64)
    change = second - first
    rng = np.random.default_rng(seed)
    low, high = _interval(change, rng)
    p_value = _p_value(change, rng)
    return Comparison(
        num_queries=len(change),
        mean_a=float(first.mean()),
        mean_b=float(second.mean()),
        difference=float(change.mean()),
        low=low,
        high=high,
        p_value=p_value,
        wins=int((change > 0).sum()),
        losses=int((change < 0).sum()),
        adjusted_p=p_value,
    )


def together(comparisons: Mapping[str, Comparison]) -> dict[str, Comparison]:
    """Comparisons that are read side by side, each p-value adjusted for there being several."""
    adjusted = holm({name: comparison.p_value for name, comparison in comparisons.items()})
    return {name: replace(comparison, adjusted_p=adjusted[name]) for name, comparison in comparisons.items()}


def holm(p_values: Mapping[str, float]) -> dict[str, float]:
    """p-values adjusted for being one of several, by Holm's step-down method (1979)."""
    adjusted: dict[str, float] = {}
    largest = 0.0
    for position, (name, p) in enumerate(sorted(p_values.items(), key=lambda item: item[1])):
        largest = max(largest, min(1.0, p * (len(p_values) - position)))
        adjusted[name] = largest
    return adjusted


def _p_value(change: npt.NDArray[np.float64], rng: np.random.Generator) -> float:
    differing = change[change != 0]
    if not len(differing):
        return 1.0
    # Sums that are equal on paper differ in the last bits: the margin keeps them "at least as large".
    observed = abs(differing.sum()) - 1e-9 * np.abs(differing).sum()
    if len(differing) <= EXACT_QUERIES:
        patterns = np.arange(2 ** len(differing))[:, None] >> np.arange(len(differing)) & 1
        return float((np.abs((1 - 2 * patterns) @ differing) >= observed).mean())
    reached = 0
    for start in range(0, SAMPLES, CHUNK):
        signs = rng.integers(0, 2, size=(min(CHUNK, SAMPLES - start), len(differing)), dtype=np.int8)
        reached += int((np.abs((1.0 - 2.0 * signs) @ differing) >= observed).sum())
    return (reached + 1) / (SAMPLES + 1)


def _interval(change: npt.NDArray[np.float64], rng: np.random.Generator) -> tuple[float, float]:
    means = np.concatenate(
        [change[rng.integers(0, len(change), size=(CHUNK, len(change)))].mean(axis=1) for _ in range(SAMPLES // CHUNK)]
    )
    low, high = np.quantile(means, [ALPHA / 2, 1 - ALPHA / 2])
    return float(low), float(high)
