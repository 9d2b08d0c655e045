import json

import pytest

from core.errors import UsageError
from core.tuning.trl.store import Goal
from core.tuning.verl.saved import Saved

REWARD = Goal(by="eval/reward", lower=False)


@pytest.fixture
def save(tmp_path):
    """`save(10, 20)`: checkpoints as verl leaves them, the newest noted."""

    def make(*steps, newest=None):
        folder = tmp_path / "checkpoints"
        for step in steps:
            (folder / f"global_step_{step}/actor").mkdir(parents=True, exist_ok=True)
        (folder / "latest_checkpointed_iteration.txt").write_text(str(newest or max(steps)))

    return make


def test_the_best_is_kept_beside_the_newest(tmp_path, save):
    save(10, 20, 30, 40)

    saved = Saved(tmp_path, REWARD, keep=2)
    saved.tidy({10: 0.1, 20: 0.9, 30: 0.2, 40: 0.3})

    assert saved.steps() == [20, 30, 40]
    best = json.loads((tmp_path / "checkpoints/best.json").read_text())
    assert best == {"step": 20, "value": 0.9, "by": "eval/reward"}


def test_less_of_a_loss_is_better(tmp_path, save):
    save(10, 20)

    assert Saved(tmp_path, Goal(by="eval/loss", lower=True), None).best({10: 0.5, 20: 0.7}) == (10, 0.5)


def test_a_measurement_where_nothing_is_saved_chooses_nothing(tmp_path, save):
    save(10, 20)

    assert Saved(tmp_path, REWARD, None).best({0: 5.0, 15: 9.0}) == (20, None)


def test_a_checkpoint_that_verl_has_not_finished_does_not_count(tmp_path, save):
    save(10, 20, newest=10)

    assert Saved(tmp_path, REWARD, None).steps() == [10]


def test_half_a_checkpoint_of_a_killed_run_is_cleared_away(tmp_path, save):
    save(10, 20, newest=10)
    saved = Saved(tmp_path, REWARD, None)

    assert saved.begin() == 10
    assert not saved.path(20).exists()


def test_a_first_start_has_nothing_to_go_on_from(tmp_path):
    saved = Saved(tmp_path, REWARD, None)

    assert saved.begin() is None
    with pytest.raises(UsageError, match="no checkpoint"):
        saved.best({})


def test_that_it_is_over_is_known_after_a_kill(tmp_path, save):
    save(10)
    Saved(tmp_path, REWARD, None).end({"steps": 10, "warnings": []})

    assert Saved(tmp_path, REWARD, None).ended() == {"steps": 10, "warnings": []}
