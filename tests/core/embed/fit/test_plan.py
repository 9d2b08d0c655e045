"""How many steps, at which rate, of which rows."""

import logging

import pytest

from core.embed.fit.order import Order
from core.embed.fit.plan import plan
from core.errors import DataError


@pytest.fixture
def static(recipe_for):
    return lambda **changes: recipe_for(model={"type": "static"}, epochs=2, min_steps=8, batch_size=64, **changes)


@pytest.mark.parametrize(
    ("num_rows", "changes", "steps"),
    [
        (6_400, {}, 2 * 100),
        (6_463, {}, 2 * 100),  # the last 63 rows of an epoch fill no batch
        (100, {}, 8),
        (100, {"min_steps": 0}, 2),
        (100, {"epochs": 0}, 0),
        (6_400, {"gradient_accumulation": 4}, 2 * 25),
        (6_400, {"gradient_accumulation": 3}, 2 * 34),  # 33 steps of 3 batches, and one of the last batch
        (6_400, {"gradient_accumulation": 1_000}, 8),
    ],
)
def test_a_small_set_gets_more_epochs(num_rows, changes, steps, recipe_for):
    fields = {"model": {"type": "static"}, "epochs": 2, "min_steps": 8, "batch_size": 64} | changes
    assert plan(recipe_for(**fields), num_rows, 1).steps == steps


def test_more_processes_make_a_step_larger(static):
    two = plan(static(), 6_400, 2)
    assert (two.batch_size, two.batches_an_epoch, two.rows_a_step, two.steps) == (64, 50, 128, 100)


def test_a_set_smaller_than_a_batch_shrinks_the_batch_and_says_so(static, caplog):
    with caplog.at_level(logging.INFO, "core"):
        small = plan(static(), 101, 2)
    assert (small.batch_size, small.batches_an_epoch) == (50, 1)
    assert "101 rows: a batch has 50, not 64" in caplog.text


def test_rows_that_cannot_be_shared_are_refused(static):
    with pytest.raises(DataError, match="3 training rows cannot be shared among 4 processes"):
        plan(static(), 3, 4)


def test_the_learning_rate_rises_and_falls(recipe_for):
    # 20 steps: up over 2, then down over 18
    steps = plan(recipe_for(min_steps=20), 32, 1)
    assert [steps.rate(step) for step in (0, 1, 2, 11, 19)] == [0.5, 1, 1, 0.5, 1 / 18]
    by_steps = plan(recipe_for(min_steps=20, warm_up_steps=4), 32, 1)
    assert [by_steps.rate(step) for step in (0, 3, 4, 12)] == [0.25, 1, 1, 0.5]


def numbers(epoch, *, rank, steps):
    order = Order(1_000, steps, seed=0, rank=rank)
    order.set_epoch(epoch)
    batches = list(order)
    assert {place[0] for batch in batches for place in batch} == {epoch}
    return [[number for _, number in batch] for batch in batches]


def test_an_epoch_has_each_row_once_and_whole_batches_only(static):
    steps = plan(static(), 1_000, 1)
    batches = numbers(0, rank=0, steps=steps)
    assert [len(batch) for batch in batches] == [64] * 15  # 15 x 64 = 960
    assert len({number for batch in batches for number in batch}) == 960
    assert batches == numbers(0, rank=0, steps=steps)
    assert batches != numbers(1, rank=0, steps=steps)


def test_two_processes_share_the_rows_that_one_has_in_a_batch_twice_as_large(recipe_for):
    together = numbers(3, rank=0, steps=plan(recipe_for(batch_size=64), 1_000, 1))
    two = plan(recipe_for(batch_size=32), 1_000, 2)
    first, second = (numbers(3, rank=rank, steps=two) for rank in (0, 1))
    assert [one + other for one, other in zip(first, second, strict=True)] == together
