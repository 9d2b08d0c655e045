"""Which desks are open, and with which model."""

import json
import logging
import shutil
import subprocess
import sys

import pytest

from core import artifact
from core.errors import ArtifactError, Missing
from core.serve.app import create
from core.serve.recipe import Recipe
from core.serve.refused import Refused
from core.serve.service import Service

from .conftest import EmbedRecipe


class Killed(Exception):
    """Ends a training as a signal would."""


@pytest.fixture
def unfinished(prompted_model, tmp_path):
    """A training that was killed after its second checkpoint; the first one is better."""

    def training(_, work):
        for step, loss in ((100, 0.2), (200, 0.4)):
            path = work.path / f"checkpoints/checkpoint-{step}"
            shutil.copytree(prompted_model, path)
            (path / "measured.json").write_text(json.dumps({"step": step, "val_loss": loss}), encoding="utf-8")
        raise Killed

    with pytest.raises(Killed):
        artifact.make(EmbedRecipe(out=tmp_path / "embed"), training)
    return tmp_path / "embed"


def service(**fields):
    return Service(Recipe(stage="serve", **fields))


def test_an_unfinished_training_is_served_by_its_best_checkpoint(unfinished, caplog):
    with caplog.at_level(logging.WARNING):
        made, _ = create(Recipe(stage="serve", model=str(unfinished)))
    assert made.model.facts()["model"]["dimension"] == 32
    assert "checkpoint-100 (val_loss 0.2000)" in caplog.text


def test_a_checkpoint_is_served_by_its_path(unfinished, caplog):
    path = f"{unfinished}.partial/checkpoints/checkpoint-200"
    made, _ = create(Recipe(stage="serve", model=path))
    assert made.model.name == path
    assert "not finished" not in caplog.text


def test_an_index_with_a_dense_leg_serves_its_model_too(indexes, static_model):
    made = service(index=indexes["hybrid"])
    assert made.model.name == str(static_model)
    assert made.search.engine is not made.model.engine


def test_a_model_that_is_not_the_indexs_is_warned_about(indexes, prompted_model, static_model, caplog):
    with caplog.at_level(logging.WARNING):
        service(index=indexes["hybrid"], model=str(static_model))
        service(index=indexes["bm25"], model=str(prompted_model))
        assert "vectors cannot be compared" not in caplog.text
        made = service(index=indexes["hybrid"], model=str(prompted_model), model_name="mine")
    assert "`model` is not the one of the index: their vectors cannot be compared" in caplog.text
    assert made.summary.endswith("(6 documents, by hybrid) and the model mine (32 dimensions)")


def test_a_task_reaches_a_model_without_an_index(prompted_model, caplog):
    with caplog.at_level(logging.WARNING):
        service(model=str(prompted_model), task_desc="检索")
    assert "`task_desc` has no effect" in caplog.text  # this model's prompt has no slot: said, not swallowed


def test_what_is_not_served_is_refused(indexes, prompted_model):
    with pytest.raises(Refused, match="no index is served here"):
        service(model=str(prompted_model)).search  # noqa: B018 - it raises
    with pytest.raises(Refused, match="no embedding model is served here"):
        service(index=indexes["bm25"]).model  # noqa: B018


@pytest.mark.parametrize(
    ("model", "error", "sentence"),
    [
        ("/nowhere/at/all", Missing, "there is no folder `/nowhere/at/all`"),
        ("{index}", ArtifactError, "an artifact of `embed` or `merge` is needed, this is one of `index`"),
        ("{empty}", ArtifactError, "this folder holds no model"),
    ],
)
def test_a_model_that_cannot_be_served_is_said_at_the_start(indexes, tmp_path, model, error, sentence):
    (tmp_path / "empty").mkdir()
    name = model.format(index=indexes["bm25"], empty=tmp_path / "empty")
    with pytest.raises(error, match=sentence):
        create(Recipe(stage="serve", model=name))


def test_a_server_of_bm25_does_not_load_the_packages_of_models(indexes):
    code = (
        "import sys\nfrom core.serve.app import create\nfrom core.serve.recipe import Recipe\n"
        "create(Recipe(stage='serve', index=sys.argv[1]))\nprint('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code, indexes["bm25"]], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
