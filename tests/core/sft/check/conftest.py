"""Conversations, and a model that never learned anything."""

import pytest

from core import artifact
from core.formats import verl
from core.formats.messages import ASSISTANT, USER
from core.recipe import ArtifactRecipe
from core.sft.recipe import Recipe

LONG = 3
"""Of the ten conversations, those with a long answer."""


@pytest.fixture(scope="session")
def rows(tmp_path_factory):
    """An artifact of `dr data rows`."""
    home = tmp_path_factory.mktemp("rows")

    def fill(_, work):
        writer = verl.Writer(work.path / "sft/train.parquet", verl.sft_schema("sft"))
        for number in range(10):
            answer = f"It is {number}. " * (100 if number < LONG else 1)
            turns = ((USER, f"What is {number}?"), (ASSISTANT, answer))
            writer.write({"messages": [{"role": role, "content": content} for role, content in turns]})
        writer.close()

    artifact.make(ArtifactRecipe(stage="rows", out=home / "rows"), fill)
    return home / "rows"


@pytest.fixture
def recipe(rows, tmp_path):
    """`recipe(**fields)`: a fine-tuning of a new model that could start, but for these fields."""

    def make(**fields):
        rest = {"stage": "sft", "out": tmp_path / "out", "model": {"type": "new", "vocabulary": 600}}
        rest |= {"data": {"sets": [{"rows": rows}], "held_out": None}, "batch_size": 5, "max_length": 900}
        return Recipe.model_validate(rest | fields)

    return make
