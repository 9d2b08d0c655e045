import numpy as np
import pytest
from scipy import stats

from core.errors import DataError
from core.significance import compare, holm, together


@pytest.fixture(scope="module")
def scores():
    rng = np.random.default_rng(1)
    first = rng.uniform(size=120)
    return first, np.clip(first + rng.normal(0.03, 0.15, size=120), 0, 1)


def test_the_exact_test_by_hand():
    # changes 1, 1, 1: of 8 sign patterns only +++ and --- reach |sum| 3 -> p = 2/8
    found = compare([0, 0, 0, 5], [1, 1, 1, 5])
    assert found.p_value == pytest.approx(0.25)
    assert (found.wins, found.losses, found.difference) == (3, 0, 0.75)


def test_the_sampled_test_agrees_with_scipy(scores):
    first, second = scores
    theirs = stats.permutation_test(
        (second, first), lambda a, b: np.mean(a - b), permutation_type="samples", n_resamples=20_000, rng=2
    )
    assert compare(first, second).p_value == pytest.approx(theirs.pvalue, abs=0.01)


def test_the_interval_agrees_with_scipy(scores):
    first, second = scores
    theirs = stats.bootstrap((second - first,), np.mean, method="percentile", n_resamples=20_000, rng=3)
    found = compare(first, second)
    assert (found.low, found.high) == pytest.approx(tuple(theirs.confidence_interval), abs=0.003)


def test_chance_is_called_significant_as_often_as_the_level_says():
    # Two equal systems, 300 times: about 5 % of p-values lie below 0.05.
    rng = np.random.default_rng(4)
    low = sum(compare(rng.normal(size=30), rng.normal(size=30), seed=i).p_value < 0.05 for i in range(300))
    assert 5 <= low <= 27


def test_the_same_seed_gives_the_same_answer(scores):
    assert compare(*scores, seed=5) == compare(*scores, seed=5)


def test_equal_systems_do_not_differ():
    found = compare([0.1, 0.2], [0.1, 0.2])
    assert (found.p_value, found.difference, found.verdict) == (1.0, 0.0, "no significant difference")


def test_unpaired_scores_are_refused():
    with pytest.raises(DataError, match="paired scores are needed, got 2 and 1"):
        compare([1, 2], [1])


def test_comparisons_read_together_are_judged_by_adjusted_values():
    # alone p = 2/2^6 = 0.03125 < 0.05; two of them: 0.0625
    better = compare([0] * 6, [1] * 6)
    assert (better.p_value, better.verdict) == (0.03125, "better")
    both = together({"a": better, "b": better})
    assert (both["a"].adjusted_p, both["a"].verdict) == (0.0625, "no significant difference")


def test_holm_by_hand():
    # sorted 0.01·3, 0.02·2, 0.04·1 and never falling: 0.03, 0.04, 0.04
    assert holm({"a": 0.04, "b": 0.01, "c": 0.02}) == pytest.approx({"b": 0.03, "c": 0.04, "a": 0.04})
