"""A training small enough for every day: a BERT of two layers, dropout included, on 240 documents."""

import json

import pytest
import torch

from core.embed.fit import run
from core.embed.recipe import Recipe
from core.embed.rows.read import read


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """Matrices this small gain nothing from threads, and lose much when the machine is busy."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def recipe_for(tiny_bert, corpus):
    """`recipe_for(epochs=1)`: 220 rows, 6 batches of 32 an epoch."""

    def made(**changes):
        model = {"type": "pretrained", "name": str(tiny_bert), "pooling": "mean", "max_tokens": 32}
        fields = {"stage": "embed", "out": "unused", "train": {"type": "documents", "data": str(corpus)}}
        fields |= {"model": model, "epochs": 1, "min_steps": 0, "machine": {"device": "cpu"}, "learning_rate": 1e-3}
        return Recipe.model_validate(fields | changes)

    return made


@pytest.fixture(scope="session")
def fitted(recipe_for):
    """`fitted(folder, epochs=1)`: the folder, after the training in this process."""

    def fit(folder, **changes):
        recipe = recipe_for(**changes)
        run.run(recipe, read(recipe), folder)
        return folder

    return fit


@pytest.fixture(scope="session")
def metrics():
    """What the record in a folder holds, (step, values); speeds differ from run to run and are left out."""

    def rows(folder):
        from core.tracking.record import read as recorded

        return [
            (row.step, {name: value for name, value in row.values.items() if "second" not in name})
            for row in recorded(folder / "logs/metrics.jsonl")
        ]

    return rows


@pytest.fixture(scope="session")
def measured():
    """What a checkpoint of a folder measured."""
    return lambda folder, step: json.loads((folder / f"checkpoints/checkpoint-{step}/measured.json").read_text())
