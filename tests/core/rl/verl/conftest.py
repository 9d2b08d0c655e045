from pathlib import Path

import pytest

from core.rl.recipe import Recipe
from core.tuning.rows.composed import Composed


@pytest.fixture
def rows():
    return Composed(Path("/out/rows/train.parquet"), Path("/out/rows/held_out.parquet"), 1000, 100, None)


@pytest.fixture
def recipe():
    """`recipe({"gpus": 4}, batch_size=8)`: a recipe with verl's fields first, its own by name."""

    def make(trainer=(), **fields):
        base = {
            "stage": "rl",
            "out": "artifacts/my/rl",
            "model": {"type": "pretrained", "path": "some/model"},
            "data": {"sets": [{"rows": "rows"}]},
            "reward": {"parts": [{"type": "format"}, {"type": "exact_match"}]},
        }
        return Recipe.model_validate(base | fields | {"trainer": {"type": "verl"} | dict(trainer)})

    return make
