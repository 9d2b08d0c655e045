import pytest

from core.embed.recipe import Recipe


@pytest.fixture
def recipe(tmp_path):
    """`recipe(train={…}, loss={…})`: of a model that nobody loads here."""

    def make(train, **fields):
        model = {} if train["type"] == "documents" else {"model": {"type": "pretrained", "name": "some/model"}}
        return Recipe(stage="embed", out=tmp_path / "out", train=train, **{**model, **fields})

    return make
