import json
import logging
from typing import ClassVar

import pytest

from core import artifact
from core.errors import ArtifactError
from core.recipe import ArtifactRecipe, Part
from core.retrieval.checkpoints import best_checkpoint, model_of


class Selection(Part):
    select_by: str = "val_loss"


class Training(ArtifactRecipe):
    """Stands for the recipe of `dr embed train`."""

    resumes: ClassVar[bool] = True
    stage: str = "embed"
    checkpoints: Selection = Selection()


class Killed(Exception):
    """Ends a training as a signal would."""


MEASURED = {
    100: {"val_loss": 0.5, "ndcg@10": 0.3},
    200: {"val_loss": 0.2, "ndcg@10": 0.4},
    300: {"val_loss": 0.3, "ndcg@10": 0.6},
}


def checkpoints(folder, measured=None):
    for step, scores in (MEASURED if measured is None else measured).items():
        path = folder / "checkpoints" / f"checkpoint-{step}"
        path.mkdir(parents=True)
        (path / "measured.json").write_text(json.dumps({"step": step, **scores}), encoding="utf-8")


def train(out, *, finish, measured=None, select_by="val_loss"):
    def work(_, work):
        checkpoints(work.path, measured)
        (work.path / "model").mkdir()
        (work.path / "model" / "modules.json").write_text("[]", encoding="utf-8")
        if not finish:
            raise Killed

    recipe = Training(out=out, checkpoints=Selection(select_by=select_by))
    if finish:
        artifact.make(recipe, work)
    else:
        with pytest.raises(Killed):
            artifact.make(recipe, work)


def test_a_finished_artifact_stands_for_its_model(tmp_path):
    train(tmp_path / "embed", finish=True)
    assert model_of(str(tmp_path / "embed")) == str(tmp_path / "embed/model")


@pytest.mark.parametrize(("select_by", "step"), [("val_loss", 200), ("ndcg@10", 300)])
@pytest.mark.parametrize("name", ["embed", "embed.partial"])
def test_an_unfinished_training_stands_for_its_best_checkpoint(tmp_path, caplog, name, select_by, step):
    train(tmp_path / "embed", finish=False, select_by=select_by)
    with caplog.at_level(logging.WARNING):
        assert model_of(str(tmp_path / name)) == str(tmp_path / f"embed.partial/checkpoints/checkpoint-{step}")
    assert f"is not finished: its best checkpoint so far is {tmp_path}/embed.partial/checkpoints" in caplog.text
    assert f"val_loss {MEASURED[step]['val_loss']:.4f}" in caplog.text


def test_a_finished_training_has_a_best_checkpoint_too(tmp_path):
    train(tmp_path / "embed", finish=True, select_by="ndcg@10")
    assert best_checkpoint(tmp_path / "embed").step == 300


def test_any_other_name_stands_for_itself(tmp_path):
    train(tmp_path / "embed", finish=True)
    (tmp_path / "folder").mkdir()
    checkpoint = tmp_path / "embed/checkpoints/checkpoint-100"
    for name in ("intfloat/e5-small", tmp_path / "nowhere", tmp_path / "folder", checkpoint):
        assert model_of(str(name)) == str(name)


def test_of_equals_the_first_and_what_gave_no_number_is_last(tmp_path):
    nan = {10: {"val_loss": float("nan")}, 20: {"val_loss": 0.2}, 30: {"val_loss": 0.2}, 40: {}}
    train(tmp_path / "embed", finish=False, measured=nan)
    assert best_checkpoint(tmp_path / "embed.partial").step == 20


def test_a_folder_without_measures_is_no_whole_checkpoint(tmp_path):
    train(tmp_path / "embed", finish=False)
    (tmp_path / "embed.partial/checkpoints/checkpoint-200/measured.json").unlink()
    assert best_checkpoint(tmp_path / "embed.partial").step == 300


def test_a_training_without_a_checkpoint_says_so(tmp_path):
    train(tmp_path / "embed", finish=False, measured={})
    with pytest.raises(ArtifactError, match="no checkpoint yet"):
        model_of(str(tmp_path / "embed"))


def test_damaged_measures_are_named(tmp_path):
    train(tmp_path / "embed", finish=False)
    file = tmp_path / "embed.partial/checkpoints/checkpoint-100/measured.json"
    file.write_text("[1]", encoding="utf-8")
    with pytest.raises(ArtifactError, match="does not say what was measured") as caught:
        model_of(str(tmp_path / "embed"))
    assert caught.value.where == str(file)
