import pytest

from core.tuning.watch.series import Series, falls


@pytest.mark.parametrize(
    ("losses", "falling"),
    [
        ([3.0, 3.1, 2.9, *[2.5] * 6, 2.0, 2.1, 1.9], True),
        ([3.0, 3.1, 2.9, *[2.5] * 6, 3.0, 3.1, 2.9], False),
        ([3.0, 3.1, 2.9, *[2.5] * 6, 2.99, 3.09, 2.89], False),  # 0.01 lower, standard error 0.08
        ([3.0, 9.0], True),  # too few to tell
    ],
)
def test_a_loss_falls_when_it_is_lower_by_more_than_its_noise(losses, falling):
    assert falls(losses) == falling


def filled(window, values, every=1):
    series = Series(window)
    for number, value in enumerate(values, start=1):
        series.add(number * every, value)
    return series


def test_a_window_has_the_values_of_its_steps():
    series = filled(5, [1.0] * 5 + [2.0] * 5 + [0.0] * 5)
    assert (series.first.mean, series.best.mean, series.best.step, series.last.mean) == (1.0, 2.0, 10, 0.0)
    assert series.windows == 3


def test_a_window_of_few_values_reaches_further_back():
    series = filled(20, [1.0, 1.0, 1.0, 1.0, 5.0], every=10)  # steps 10 to 50
    assert series.first.size == 4 and series.last.mean == 2.0  # (1 + 1 + 1 + 5) / 4


def test_there_is_no_window_before_it_is_full():
    assert filled(20, [1.0] * 19).last is None
    assert filled(20, [1.0] * 20).last.size == 20


def test_the_error_of_independent_noise_is_its_deviation_over_the_root_of_the_count(series_of_noise):
    series = filled(20, series_of_noise(0.0, 2000))
    expected = 0.1 * (2 / 20) ** 0.5
    assert series.error(series.first, series.last) == pytest.approx(expected, rel=0.1)
    assert series.lasting_error(series.first, series.last) == pytest.approx(expected, rel=0.15)


def test_noise_that_lasts_counts_for_more(series_of_noise):
    # An autoregression by 0.5: the mean of n values has the variance 0.01 / n * (1 + 0.5) / (1 - 0.5).
    series = filled(20, series_of_noise(0.5, 5000))
    expected = 0.1 * (2 / 20 * 3) ** 0.5
    assert series.lasting_error(series.first, series.last) == pytest.approx(expected, rel=0.15)
