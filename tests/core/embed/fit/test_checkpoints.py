"""Which saved states stay, and which is the best."""

import json

import pytest

from core.embed.fit.checkpoints import Store, choose, slim
from core.embed.fit.spec import Checkpoints
from core.errors import ArtifactError
from core.retrieval.checkpoints import found


def saved(store, step, **measured):
    made = store.unfinished / f"checkpoint-{step}"
    made.mkdir(parents=True)
    (made / "model.safetensors").write_text("weights")
    (made / "optimizer.pt").write_text("state")
    store.finish(step, measured)


def steps(folder):
    return sorted(int(path.name.removeprefix("checkpoint-")) for path in folder.iterdir())


@pytest.mark.parametrize(("keep", "left"), [(1, [2, 5]), (2, [2, 4, 5]), (None, [1, 2, 3, 4, 5])])
def test_the_newest_and_the_best_are_kept(keep, left, tmp_path):
    store = Store(tmp_path, Checkpoints(keep=keep))
    for step, loss in enumerate([0.5, 0.1, 0.3, 0.2, 0.4], start=1):
        saved(store, step, val_loss=loss)
    assert steps(tmp_path) == left
    assert [checkpoint.step for checkpoint in found(tmp_path)] == left
    assert choose(found(tmp_path), "val_loss").step == 2


def test_the_best_by_score_is_the_highest_and_the_first_of_equal_ones(tmp_path):
    store = Store(tmp_path, Checkpoints(keep=1, select_by="ndcg@10"))
    for step, score in enumerate([0.1, 0.7, 0.7, 0.2], start=1):
        saved(store, step, **{"val_loss": 1 / step, "ndcg@10": score})
    assert steps(tmp_path) == [2, 4]


def test_a_loss_that_is_no_number_is_never_the_choose(tmp_path):
    store = Store(tmp_path, Checkpoints())
    saved(store, 1, val_loss=float("nan"))
    saved(store, 2, val_loss=9.0)
    assert choose(found(tmp_path), "val_loss").step == 2


def test_measures_that_agree_are_not_told(tmp_path, caplog):
    store = Store(tmp_path, Checkpoints())
    saved(store, 1, **{"val_loss": 0.5, "ndcg@10": 0.4})
    saved(store, 2, **{"val_loss": 0.4, "ndcg@10": 0.4})  # the first by nDCG, too, is no better by it
    assert choose(found(tmp_path), "val_loss").step == 2
    assert not caplog.text


def test_what_a_resume_needs_can_be_dropped(tmp_path):
    store = Store(tmp_path, Checkpoints())
    saved(store, 1, val_loss=0.5)
    (only,) = found(tmp_path)
    (only.path / "global_step1").mkdir()
    slim(only)
    assert sorted(path.name for path in only.path.iterdir()) == ["measured.json", "model.safetensors"]
    slim(only)  # twice does no harm


def test_what_is_half_written_is_removed_and_what_is_whole_stays(tmp_path):
    store = Store(tmp_path / "checkpoints", Checkpoints())
    store.tidy()
    saved(store, 1, val_loss=0.5)
    (store.folder / "checkpoint-2").mkdir()
    (store.unfinished / "checkpoint-3").mkdir(parents=True)
    store.tidy()
    assert steps(store.folder) == [1]


def test_a_damaged_measurement_is_told(tmp_path):
    saved(Store(tmp_path, Checkpoints()), 1, val_loss=0.5)
    (tmp_path / "checkpoint-1/measured.json").write_text(json.dumps({"val_loss": 1}))
    with pytest.raises(ArtifactError, match="what was measured"):
        found(tmp_path)
