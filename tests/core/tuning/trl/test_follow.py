"""When a training logs, measures and saves, as the callback decides it."""

from pathlib import Path

import pytest
from transformers import TrainerControl, TrainerState

from core.tracking import open_tracker
from core.tracking.record import read, series
from core.tracking.spec import Tracking
from core.tuning.spec import Checkpoints
from core.tuning.trl import session
from core.tuning.trl.follow import Follow, Plan
from core.tuning.trl.store import Goal, Store
from core.tuning.watch.tripped import Tripped


class Wire:
    """Trips at `step`."""

    def __init__(self, step=None, action="stop"):
        self.step, self.action, self.seen = step, action, []

    def see(self, step, values):
        self.seen.append((step, dict(values)))
        return [Tripped("collapse", self.action, step, "it falls")] if step == self.step else []

    def end(self, step):
        return []


@pytest.fixture
def run(tmp_path):
    """Steps of a pretended training; what was due at each of them, and the store."""

    def go(spec, *, steps=12, an_epoch=5, log_every=4, measures=True, wire=None):
        plan = Plan(steps, an_epoch, 8, log_every, Checkpoints.model_validate(spec), measures)
        store, due = Store(tmp_path, Goal("eval/loss", lower=True), plan.checkpoints.keep), {}
        with open_tracker(Tracking(), tmp_path / "logs", {}) as tracker:
            follow = Follow(plan, store, tracker, wire or Wire())
            state, control = TrainerState(), TrainerControl()
            for step in range(1, steps + 1):
                control._new_step()
                state.global_step = step
                follow.on_step_end(None, state, control)
                logged, measured = control.should_log, control.should_evaluate
                if logged:
                    follow.on_log(None, state, control, logs={"loss": 1.0 / step, "grad_norm": 2, "entropy": 3})
                if control.should_evaluate:
                    follow.on_log(None, state, control, logs={"eval_loss": abs(step - 6.0), "eval_runtime": 1.0})
                due[step] = (logged, measured, control.should_save)
                if control.should_save:
                    (store.unfinished / f"checkpoint-{step}").mkdir(parents=True)
                    follow.on_save(None, state, control)
                if control.should_training_stop:
                    break
            follow.on_train_end(None, state, control)
        return due, store, follow

    return go


def at(due, place):
    return [step for step, flags in due.items() if flags[place]]


def test_each_epoch_is_saved_and_measured_unless_steps_are_given(run):
    due, store, _ = run({})
    assert at(due, 2) == at(due, 1) == [5, 10, 12]
    assert at(due, 0) == [1, 4, 5, 8, 10, 12]
    assert store.best().step == 5


def test_what_is_measured_oftener_than_saved_is_measured_with_each_save_too(run):
    due, store, _ = run({"save_every": 6, "eval_every": 4})
    assert at(due, 2) == [6, 12]
    assert at(due, 1) == [4, 6, 8, 12]
    # Each checkpoint knows what was measured of it, not of a step before.
    assert {step: store.folder.joinpath(f"checkpoint-{step}").is_dir() for step in (6, 12)} == {6: True, 12: True}
    assert store.best().measured == {"eval/loss": 0.0}


def test_nothing_is_measured_where_nothing_is_held_out(run):
    due, store, _ = run({"save_every": 6}, measures=False)
    assert at(due, 1) == []
    assert store.best().step == 12


def test_the_log_has_our_names_alone(run, tmp_path):
    run({})
    logged = series(read(tmp_path / "logs/metrics.jsonl"))
    speeds = {"time/step_seconds", "train/samples_per_second"}
    assert {*logged} == {"train/loss", "train/grad_norm", "eval/loss"} | speeds
    assert logged["train/loss"] == {step: 1.0 / step for step in (1, 4, 5, 8, 10, 12)}
    assert logged["eval/loss"] == {5: 1.0, 10: 4.0, 12: 6.0}


def test_a_wire_that_stops_ends_the_training_without_saving_what_led_there(run):
    due, store, follow = run({"save_every": 4}, wire=Wire(step=8))
    assert max(due) == 8
    assert [path.name for path in Path(store.folder).glob("checkpoint-*")] == ["checkpoint-4"]
    assert [word.sentence for word in follow.tripped] == ["it falls"]


def test_a_wire_that_warns_lets_it_go_on(run):
    due, _, follow = run({"save_every": 6}, wire=Wire(step=4, action="warn"))
    assert max(due) == 12
    assert [word.step for word in follow.tripped] == [4]


def test_the_wire_sees_what_is_logged_with_its_step(run):
    wire = Wire()
    run({"save_every": 12}, wire=wire)
    assert [(step, next(iter(values))) for step, values in wire.seen] == [
        (1, "train/loss"),
        (4, "train/loss"),
        (8, "train/loss"),
        (12, "train/loss"),
        (12, "eval/loss"),
    ]


def test_what_an_earlier_session_was_warned_of_stays_among_the_warnings(tmp_path):
    store = Store(tmp_path, Goal("eval/loss", lower=True), None)
    written = store.unfinished / "checkpoint-4"
    written.mkdir(parents=True)
    TrainerState(global_step=4).save_to_json(str(written / "trainer_state.json"))
    store.finish(4, {})
    plan = Plan(4, 4, 8, 1, Checkpoints(), measures=False)
    with open_tracker(Tracking(), tmp_path / "logs", {}) as tracker:
        for step in range(1, 5):
            tracker.log({"train/loss": 1.0}, step)
        session.train(pytest.fail, store, store.begin({}), plan, tracker, Wire(2, "warn"), tmp_path)
    assert [word.partition(";")[0] for word in store.ended()["warnings"]] == ["step 2: it falls"]
