"""The best of k, against all subsets and against drawing."""

import random
import statistics
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.rl.probe.estimator import best_of, ladder

REWARDS = st.lists(st.floats(-5, 5), min_size=1, max_size=9)


@given(REWARDS, st.integers(1, 9))
def test_it_is_the_mean_over_all_subsets(rewards, k):
    if k <= len(rewards):
        subsets = [max(subset) for subset in combinations(rewards, k)]
        assert best_of(rewards, k) == pytest.approx(statistics.fmean(subsets), abs=1e-9)


@given(REWARDS)
def test_the_best_of_one_is_the_mean_and_of_all_the_greatest(rewards):
    assert best_of(rewards, 1) == pytest.approx(statistics.fmean(rewards), abs=1e-9)
    assert best_of(rewards, len(rewards)) == max(rewards)


def test_for_right_and_wrong_it_is_pass_at_k():
    # 2 of 5 are right: all three drawn are wrong in C(3, 3) of C(5, 3) = 10 subsets
    assert best_of([1, 0, 0, 1, 0], 3) == pytest.approx(9 / 10)


def test_it_is_unbiased():
    # A fair coin: the best of 2 fresh throws is 3/4. The greatest of 2 among 8 throws would be nearly 1.
    draw = random.Random(0)
    groups = [[draw.randint(0, 1) for _ in range(8)] for _ in range(20_000)]
    assert statistics.fmean(best_of(group, 2) for group in groups) == pytest.approx(3 / 4, abs=0.005)


@pytest.mark.parametrize(("samples", "numbers"), [(2, [1, 2]), (5, [1, 2, 4, 5]), (8, [1, 2, 4, 8])])
def test_the_numbers_double_up_to_all(samples, numbers):
    assert ladder(samples) == numbers
