import fcntl
import tempfile
from pathlib import Path

import pytest

from core.rl.recipe import Recipe
from core.tuning.rows.composed import Composed
from tests.core.rl.verl.runs import ROOT, Place


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


@pytest.fixture(scope="module")
def alone():
    """One test at a time on this machine: a training by verl fills two cores and gigabytes."""
    with (Path(tempfile.gettempdir()) / "verl.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@pytest.fixture(scope="module")
def world(alone, environment, tmp_path_factory):
    """A folder with the shipped recipes, and the rows and the index of the world."""
    place = Place(tmp_path_factory.mktemp("world"), environment("verl"))
    (place.folder / "recipes").symlink_to(ROOT / "recipes")
    place.make("data", "data/world")
    place.make("index", "index/world")
    for rows in ("world", "world-sft", "search-tiny", "search-sft-tiny", "evidence-tiny"):
        place.make("data", "rows", f"data/rows-{rows}")
    return place


@pytest.fixture(scope="module")
def taught(world):
    """The world with a model that knows the form of an answer: what every training by rewards here begins with."""
    world.make("sft", "train", "sft/tiny")
    return world
