"""A corpus of ten documents, its index, its rows for RL, and a model that never learned anything."""

import pytest

from core import artifact
from core.data.rows import build as rows
from core.data.rows.recipe import Recipe as RowsRecipe
from core.formats import beir, verl
from core.formats.messages import USER, Message
from core.index import build as index
from core.index.recipe import Recipe as IndexRecipe
from core.recipe import ArtifactRecipe
from core.rl.recipe import Recipe
from core.tuning.models import new
from core.tuning.spec import New
from core.types import Document, Query

WORDS = ("amber", "birch", "cedar", "delta", "ember", "fjord", "grove", "heron", "inlet", "jolly")
REWARD = {"parts": [{"type": "format", "good": 0.1, "bad": -0.1}, {"type": "recall", "k": 1}]}


def corpus(home, name, judged):
    def fill(_, work):
        beir.write_queries(work.path, [Query(f"q{n}", f"word{n:02}") for n in range(10)])
        documents = [Document(f"d{n}", f"{word} word00" if n == 0 else word) for n, word in enumerate(WORDS)]
        beir.write_documents(work.path, documents)
        beir.write_qrels(work.path, "train", judged)
        beir.write_qrels(work.path, "dev", {"q8": {"d8": 1}, "q9": {"d9": 1}})

    artifact.make(ArtifactRecipe(stage="data", out=home / name), fill)
    fields = {"stage": "rows", "out": home / f"{name}-rows", "targets": ["rl"]}
    recipe = RowsRecipe.model_validate(fields | {"source": {"type": "retrieval", "data": home / name}})
    artifact.make(recipe, rows.run)


@pytest.fixture(scope="session")
def made(tmp_path_factory):
    """data, data-rows, other-rows (of documents that the index lacks), index, model."""
    home = tmp_path_factory.mktemp("checked")
    corpus(home, "data", {f"q{n}": {f"d{n}": 1} for n in range(8)})
    corpus(home, "other", {f"q{n}": {"d0": 1, f"x{n}": 1} for n in range(8)})
    fields = {"stage": "index", "out": home / "index", "data": home / "data", "backend": {"type": "bm25"}}
    artifact.make(IndexRecipe.model_validate(fields), index.run)
    new.write(New(type="new", vocabulary=600), ["What is it? think answer query json " * 3], home / "model", 0)
    return home


@pytest.fixture
def recipe(made, tmp_path):
    """`recipe(**fields)`: a training over `made` that could start, but for these fields."""

    def make(**fields):
        rest = {"stage": "rl", "out": tmp_path / "out", "model": {"type": "pretrained", "path": str(made / "model")}}
        rest |= {"data": {"sets": [{"rows": made / "data-rows"}]}, "reward": REWARD, "index": made / "index"}
        rest |= {"batch_size": 4, "algorithm": {"type": "grpo", "group_size": 4}}
        rest |= {"generation": {"max_prompt_length": 900, "max_new_tokens": 64}}
        return Recipe.model_validate(rest | fields)

    return make


@pytest.fixture(scope="session")
def answered(tmp_path_factory):
    """Rows whose ground truth is a text, as a recipe names them."""
    home = tmp_path_factory.mktemp("answered")

    def fill(_, work):
        writer = verl.Writer(work.path / "rl/train.parquet", verl.rl_schema())
        for number in range(8):
            fields = {"data_source": "qa", "ability": "qa", "split": "train", "index": number}
            question = f"What is {number}?"
            writer.write(verl.rl_row((Message(USER, question),), ground_truth="a word", question=question, **fields))
        writer.close()

    artifact.make(ArtifactRecipe(stage="rows", out=home / "rows"), fill)
    return {"sets": [{"rows": home / "rows"}], "held_out": None}
