"""Numbers over groups of rewards; standard library only."""

from collections.abc import Sequence
from math import comb


def best_of(rewards: Sequence[float], k: int) -> float:
    """What the best of `k` answers earns on average, when the `k` are drawn from these without putting back.

    Needs 1 <= k <= len(rewards). Of the subsets of size k, C(i - 1, k - 1) have the i-th lowest reward as their best.
    Unbiased for the best of k independent answers, which the best of the first k is too, with more variance.

    Source: Chen et al. 2021, arXiv:2107.03374 (pass@k); for rewards that are any number Walder and Karkhanis 2025,
    arXiv:2505.15201.
    """
    ordered = sorted(rewards)
    found = sum(comb(place - 1, k - 1) * reward for place, reward in enumerate(ordered, start=1) if place >= k)
    return found / comb(len(ordered), k)


def ladder(samples: int) -> list[int]:
    """1, 2, 4, … and the number itself."""
    powers = [2**power for power in range(samples.bit_length()) if 2**power < samples]
    return [*powers, samples]
