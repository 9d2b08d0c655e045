"""Programs that write what verl writes, followed as verl is."""

import json
import sys

import pytest

from core.errors import DrError, Missing, ProcessFailed
from core.memory import Knob, OutOfMemory
from core.process import Command
from core.tracking import Tracking, open_tracker
from core.tracking.record import read, series
from core.tuning.trl.store import Goal
from core.tuning.verl import launch
from core.tuning.verl.follow import Lines, Plan, renamed
from core.tuning.verl.saved import Saved
from core.tuning.verl.session import METRICS, Session
from core.tuning.watch.tripped import Tripped

GOAL = Goal(by="eval/loss", lower=True)
NAMES = {"loss": "train/loss", "val": "eval/loss"}

PRELUDE = """
import json, os, pathlib, sys, time
folder = pathlib.Path({folder!r})
metrics = open({metrics!r}, "w")
def step(number, **data):
    metrics.write(json.dumps({{"step": number, "data": data}}) + "\\n")
    metrics.flush()
def wait():
    time.sleep(30)
    (folder / "late").touch()
def save(number):
    (folder / f"checkpoints/global_step_{{number}}").mkdir(parents=True)
    (folder / "checkpoints/latest_checkpointed_iteration.txt").write_text(str(number))
"""


class Watch:
    """Stops at a step, or never."""

    def __init__(self, stop=None):
        self.stop, self.seen = stop, []

    def see(self, step, values):
        self.seen.append((step, dict(values)))
        return [Tripped("nan", "stop", step, "it went wrong")] if step == self.stop else []

    def end(self, step):
        return [Tripped("flat", "warn", step, "it did not rise")]


class Training:
    """One run of a program as a training of six steps."""

    def __init__(self, folder, watch=None, steps=6, log_every=2):
        self.folder, self.watch = folder, watch or Watch()
        self.saved = Saved(folder, GOAL, keep=1)
        self.session = Session.begin(folder)
        (folder / "logs").mkdir(exist_ok=True)
        self.what = launch.Run(
            folder, Plan(steps, 3, log_every), Tracking(), {}, self.watch, [Knob.halved("batch_size", 8, "rows")], "t"
        )

    def run(self, program, done=0, beat=lambda: None):
        prelude = PRELUDE.format(folder=str(self.folder), metrics=str(self.session.folder / METRICS))
        command = Command((sys.executable, "-c", prelude + program))

        def source(session):
            lines = Lines(session.folder / METRICS)
            return lambda _: [(row["step"], renamed(row["data"], NAMES)) for row in lines.new()]

        launch.run(self.what, self.saved, command, self.session, source, done, beat)

    def logged(self, name):
        return series(read(self.folder / "logs/metrics.jsonl")).get(name, {})


SIX = "for n in range(1, 7): step(n, loss=float(n), other=1.0); n == 3 and (save(3), step(3, val=0.5))\n"


def test_what_verl_measures_is_logged_by_our_names(tmp_path):
    training = Training(tmp_path)
    training.run(SIX + "save(6); step(6, val=0.7)")

    # The first, every second, what is measured, and the last; each the mean since the one before.
    assert training.logged("train/loss") == {1: 1.0, 2: 2.0, 3: 3.0, 4: 4.0, 6: 5.5}
    assert training.logged("eval/loss") == {3: 0.5, 6: 0.7}
    assert training.saved.ended() == {
        "steps": 6,
        "warnings": [str(Tripped("flat", "warn", 6, "it did not rise"))],
    }
    assert launch.outcome(training.saved, tmp_path)["best"] == {"step": 3, "value": 0.5}


def test_a_null_is_no_number(tmp_path):
    training = Training(tmp_path, steps=1)
    training.run("step(1, loss=None); save(1)")

    assert str(training.logged("train/loss")[1]) == "nan"


def test_a_watch_ends_the_program_and_what_is_saved_stays(tmp_path):
    training = Training(tmp_path, Watch(stop=4))
    training.run(SIX + "save(6); wait()")

    assert training.saved.ended()["steps"] == 4
    assert not (tmp_path / "late").exists()
    assert any("it went wrong" in warning for warning in training.saved.ended()["warnings"])


def test_a_watch_that_stops_before_anything_is_saved_is_an_error(tmp_path):
    training = Training(tmp_path, Watch(stop=1))

    with pytest.raises(DrError, match="it went wrong at step 1"):
        training.run("step(1, loss=1.0); wait()")


def test_a_reward_that_failed_ends_the_program_with_its_sentence_and_exit_code(tmp_path):
    training = Training(tmp_path)
    failed = Missing("the retriever gave no usable answer", where="http://127.0.0.1:1", hint="is it running?")
    training.session.failed.write_text(json.dumps(failed.as_dict()))

    with pytest.raises(DrError, match="the retriever gave no usable answer") as told:
        training.run("step(1, loss=1.0); wait()")
    assert told.value.exit_code == 3
    assert training.saved.ended() is None
    assert not (tmp_path / "late").exists()  # it did not wait for the program


def test_a_service_of_ours_that_ended_ends_the_program(tmp_path):
    def beat():
        raise Missing("the search service ended")

    with pytest.raises(Missing, match="the search service ended"):
        Training(tmp_path).run("wait()", beat=beat)
    assert not (tmp_path / "late").exists()


@pytest.mark.parametrize(
    ("said", "kind", "what"),
    [
        ("torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB", OutOfMemory, "ran out of memory"),
        ("ConnectionError: Could not find any running Ray instance.", Missing, "there is no Ray cluster"),
        ("(Task pid=3) ValueError: rows do not fit\nray.get()", ProcessFailed, "verl failed: ValueError: rows do not"),
        ("nothing one could name", ProcessFailed, "ended with status 1"),
    ],
)
def test_the_reason_of_a_failure_is_read_out_of_the_log(tmp_path, said, kind, what):
    with pytest.raises(kind, match=what):
        Training(tmp_path).run(f"print({said!r}); sys.exit(1)")


def test_a_program_that_ends_early_without_a_word_has_failed(tmp_path):
    with pytest.raises(ProcessFailed, match="verl ended at step 2 of 6"):
        Training(tmp_path).run("step(1, loss=1.0); step(2, loss=1.0)")


def test_a_session_goes_on_where_the_one_before_has_saved(tmp_path):
    first = Training(tmp_path)
    with pytest.raises(ProcessFailed):
        first.run(
            "[step(n, loss=float(n)) for n in (1, 2, 3)]; save(3); step(3, val=0.5); step(4, loss=9.0); sys.exit(1)"
        )
    assert first.saved.begin() == 3

    second = Training(tmp_path)
    second.run("step(4, loss=4.0); step(5, loss=5.0); step(6, loss=6.0); save(6); step(6, val=0.6)", done=3)

    assert [step for step, _ in second.watch.seen][:4] == [1, 2, 3, 4]
    assert second.logged("train/loss") == {1: 1.0, 2: 2.0, 3: 3.0, 4: 4.0, 6: 5.5}
    assert launch.outcome(second.saved, tmp_path)["best"] == {"step": 3, "value": 0.5}  # measured in the first


def test_what_an_earlier_session_tripped_over_is_told_at_the_end(tmp_path):
    class Warned(Watch):
        def see(self, step, values):
            return [Tripped("flat", "warn", step, "it does not rise")] if step == 2 else []

    with pytest.raises(ProcessFailed):
        Training(tmp_path, Warned(), log_every=1).run("step(1, loss=1.0); step(2, loss=1.0); save(3); sys.exit(1)")
    second = Training(tmp_path, Warned(), log_every=1)
    second.run("[step(n, loss=1.0) for n in (4, 5, 6)]; save(6)", done=3)
    assert [word.split(";")[0] for word in second.saved.ended()["warnings"]] == [
        "step 2: it does not rise", "step 6: it did not rise",
    ]  # fmt: skip


@pytest.fixture
def killed(tmp_path):
    """What was logged of a session that was killed, and what verl wrote."""

    def make(logged, wrote):
        session = Session.begin(tmp_path)
        with open_tracker(Tracking(), tmp_path / "logs", {}) as tracker:
            for step, values in logged:
                tracker.log(values, step)
        lines = [json.dumps({"step": step, "data": data}) + "\n" for step, data in wrote]
        (session.folder / METRICS).write_text("".join(lines))
        return session

    return make


def test_what_verl_wrote_after_we_were_killed_is_read_when_the_training_goes_on(tmp_path, killed):
    # Step 1 was seen; 2 and 3 were not, and of those 3 is after the checkpoint: it is done again.
    first = killed(
        [(1, {"train/loss": 1.0})], [(1, {"loss": 1.0}), (2, {"loss": 2.0}), (2, {"val": 0.1}), (3, {"loss": 9.0})]
    )
    training = Training(tmp_path, steps=3, log_every=1)
    training.run("save(2); step(3, loss=3.0, val=0.3); save(3)", done=2)

    assert training.logged("train/loss") == {1: 1.0, 2: 2.0, 3: 3.0}
    assert launch.outcome(training.saved, tmp_path)["best"]["value"] == 0.1  # measured when nobody looked
    assert not first.folder.exists()
    assert [step for step, _ in training.watch.seen] == [1, 2, 2, 3]


def test_of_the_last_step_that_was_seen_what_was_not_seen_is_added(tmp_path, killed):
    killed(
        [(1, {"train/loss": 1.0}), (2, {"train/loss": 2.0})],
        [(1, {"loss": 1.0}), (2, {"loss": 2.0}), (2, {"val": 0.1})],
    )
    training = Training(tmp_path, steps=3, log_every=1)
    training.run("save(2); step(3, loss=3.0); save(3)", done=2)

    assert training.logged("train/loss") == {1: 1.0, 2: 2.0, 3: 3.0}
    assert training.logged("eval/loss") == {2: 0.1}


def test_a_step_between_two_values_of_the_log_counts_in_the_next_one(tmp_path, killed):
    killed([(1, {"train/loss": 1.0})], [(1, {"loss": 1.0}), (2, {"loss": 2.0}), (3, {"loss": 3.0})])
    training = Training(tmp_path, steps=4, log_every=4)
    training.run("save(3); step(4, loss=4.0); save(4)", done=3)

    assert training.logged("train/loss") == {1: 1.0, 4: 3.0}


def test_a_training_that_was_killed_after_its_last_step_has_what_it_wrote_and_takes_no_step_more(tmp_path, killed):
    killed([], [(1, {"loss": 1.0, "val": 0.5})])
    training = Training(tmp_path, steps=1)
    (tmp_path / "checkpoints/global_step_1").mkdir(parents=True)
    (tmp_path / "checkpoints/latest_checkpointed_iteration.txt").write_text("1")
    training.run("raise SystemExit(1)", done=1)

    assert training.logged("train/loss") == {1: 1.0}
    assert launch.outcome(training.saved, tmp_path)["best"] == {"step": 1, "value": 0.5}
    assert training.saved.ended()["steps"] == 1


def test_a_line_that_is_being_written_counts_when_it_is_whole(tmp_path):
    path = tmp_path / "lines.jsonl"
    lines = Lines(path)
    assert list(lines.new()) == []

    path.write_text('{"a": 1}\n{"a"')
    assert list(lines.new()) == [{"a": 1}]
    path.write_text('{"a": 1}\n{"a": 2}\n')
    assert list(lines.new()) == [{"a": 2}]
