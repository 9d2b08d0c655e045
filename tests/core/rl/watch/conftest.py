"""A recipe of `dr rl train` whose files nobody opens, and series of rewards as trainings make them."""

import math
import random

import pytest

from core.rl.recipe import Recipe

REWARD = {"parts": [{"type": "format", "good": 0.1, "bad": -0.1}, {"type": "recall", "k": 10}]}


@pytest.fixture(scope="session")
def recipe():
    """`recipe(**fields)`: fields of the recipe that matter here."""

    def make(**fields):
        rest = {"stage": "rl", "out": "artifacts/my/rl", "model": {"type": "pretrained", "path": "some/model"}}
        rest |= {"data": {"sets": [{"rows": "rows"}]}, "reward": REWARD, "index": "index"}
        return Recipe.model_validate(rest | fields)

    return make


@pytest.fixture(scope="session")
def series():
    """`series(shape, noise, steps, seed)`: `shape(step)` with normal noise, from step 1 on."""

    def make(shape, noise=0.05, steps=200, seed=0):
        draw = random.Random(seed)
        return [shape(step) + draw.gauss(0, noise) for step in range(1, steps + 1)]

    return make


@pytest.fixture(scope="session")
def rise():
    """A training that goes well: from 0.1 to 0.8, half of it by step 40."""
    return lambda step: 0.1 + 0.7 / (1 + math.exp((40 - step) / 8))
