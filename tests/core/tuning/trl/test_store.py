import json
import math

import pytest

from core.errors import UsageError
from core.tuning.trl.store import Goal, Store

LOSS, REWARD = Goal("eval/loss", lower=True), Goal("eval/reward", lower=False)


def save(store, step, **measured):
    """What the trainer does, and what follows."""
    written = store.unfinished / f"checkpoint-{step}"
    written.mkdir(parents=True)
    (written / "model.safetensors").write_text(str(step))
    (written / "optimizer.pt").write_text("")
    store.finish(step, {name.replace("_", "/"): value for name, value in measured.items()})


def steps(store):
    return sorted(int(path.name.rpartition("-")[2]) for path in store.folder.glob("checkpoint-*"))


@pytest.mark.parametrize(("goal", "best"), [(LOSS, 20), (REWARD, 30)])
def test_the_newest_and_the_best_are_kept(tmp_path, goal, best):
    store = Store(tmp_path, goal, keep=1)
    for step, loss, reward in [(10, 3.0, 0.1), (20, 1.0, 0.2), (30, 2.0, 0.9), (40, 2.5, 0.3)]:
        save(store, step, eval_loss=loss, eval_reward=reward)
    assert steps(store) == [best, 40]
    value = store.best().measured[goal.by]
    assert json.loads((store.folder / "best.json").read_text()) == {"step": best, "value": value, "by": goal.by}


def test_the_first_of_equals_is_the_best(tmp_path):
    store = Store(tmp_path, LOSS, keep=None)
    for step in (1, 2, 3):
        save(store, step, eval_loss=1.0)
    assert (store.best().step, steps(store)) == (1, [1, 2, 3])


def test_the_newest_is_the_best_where_nothing_was_measured(tmp_path):
    store = Store(tmp_path, LOSS, keep=1)
    for step in (1, 2):
        save(store, step)
    assert steps(store) == [2]
    assert json.loads((store.folder / "best.json").read_text()) == {"step": 2, "value": None, "by": "eval/loss"}


def test_what_is_no_number_is_never_the_best(tmp_path):
    store = Store(tmp_path, REWARD, keep=None)
    save(store, 1, eval_reward=-1.0)
    save(store, 2, eval_reward=math.nan)
    assert store.best().step == 1


def test_what_a_killed_run_left_half_written_is_cleared_away(tmp_path):
    store = Store(tmp_path, LOSS, keep=None)
    assert store.begin({"rows": "a"}) is None
    save(store, 1, eval_loss=1.0)
    (store.folder / "checkpoint-2").mkdir()
    (store.unfinished / "checkpoint-3").mkdir(parents=True)
    assert Store(tmp_path, LOSS, keep=None).begin({"rows": "a"}).step == 1
    assert steps(store) == [1]
    assert not store.unfinished.exists()


def test_a_resume_of_another_plan_is_refused(tmp_path):
    store = Store(tmp_path, LOSS, keep=None)
    store.begin({"rows": "a", "model": "m"})
    store.begin({"rows": "b", "model": "m"})  # nothing was saved yet: nothing is lost
    save(store, 1)
    with pytest.raises(UsageError, match="another rows and model than now"):
        store.begin({"rows": "c", "model": "n"})


def test_a_training_that_is_over_keeps_models_and_drops_what_a_resume_needs(tmp_path):
    store = Store(tmp_path, LOSS, keep=None)
    save(store, 1, eval_loss=1.0)
    assert store.ended() is None
    store.end({"steps": 1, "warnings": []})
    store.slim()
    assert store.ended() == {"steps": 1, "warnings": []}
    assert {path.name for path in store.best().path.iterdir()} == {"model.safetensors", "measured.json"}


def test_no_checkpoint_at_all_is_told(tmp_path):
    with pytest.raises(UsageError, match="no checkpoint"):
        Store(tmp_path, LOSS, keep=None).best()
