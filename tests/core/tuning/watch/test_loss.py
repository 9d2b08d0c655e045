import math

import pytest

from core.sft.recipe import Recipe
from core.tuning.watch.loss import LossWatch

RECIPE = Recipe.model_validate(
    {
        "stage": "sft",
        "out": "artifacts/my/sft",
        "model": {"type": "pretrained", "path": "some/model"},
        "data": {"sets": [{"rows": "rows"}]},
        "trainer": {"type": "trl", "precision": "bf16"},
    }
)


@pytest.mark.parametrize("name", ["train/loss", "train/grad_norm", "eval/loss"])
def test_what_is_no_number_stops_the_training(name):
    (tripped,) = LossWatch(RECIPE).see(7, {"train/learning_rate": 1e-4, name: math.nan})
    assert (tripped.kind, tripped.action, tripped.step) == ("nan", "stop", 7)
    assert [line for line, _ in tripped.remedies] == [
        "learning_rate=5e-05",
        "max_grad_norm=0.1",
        "trainer.precision=fp32",
    ]


def test_a_loss_that_falls_trips_over_nothing():
    watch = LossWatch(RECIPE)
    assert [hit for step in range(1, 50) for hit in watch.see(step, {"train/loss": 3.0 / step})] == []
    assert watch.end(49) == []


def test_a_loss_that_does_not_fall_warns_at_the_end():
    watch = LossWatch(RECIPE)
    assert [hit for step in range(1, 50) for hit in watch.see(step, {"train/loss": 2.0 + step % 3 / 10})] == []
    (tripped,) = watch.end(49)
    assert (tripped.kind, tripped.action) == ("flat", "warn")
    assert tripped.sentence.startswith("the loss did not fall: 2.1")
