"""Trainings that are killed: what they leave, and that the next run ends as if nothing had been."""

import contextlib
import multiprocessing
import os
import resource
import shutil
import signal
import time
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool

import pytest
import torch

from core import worker
from core.embed.fit import launch, run
from core.embed.fit.worker import train
from core.embed.rows.read import read
from core.retrieval.checkpoints import found

SLOW = {"epochs": 4, "log_every": 1, "checkpoints": {"save_every": 5, "keep": None}}


@pytest.fixture(scope="module")
def children():
    """Processes that have imported what a training needs, and used nothing of it."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["core.embed.fit.worker"])
    return context


class Child:
    """A training in a process of its own."""

    def __init__(self, context, folder, largest_file=None):
        """largest_file: bytes; the system kills the process that writes more into one file."""
        self._pool = ProcessPoolExecutor(1, context, initializer=torch.set_num_threads, initargs=(1,))
        self.pid = self._pool.submit(os.getpid).result()
        if largest_file:
            self._pool.submit(signal.signal, signal.SIGXFSZ, signal.SIG_DFL).result()
            self._pool.submit(resource.setrlimit, resource.RLIMIT_FSIZE, (largest_file, largest_file)).result()
        self._training = self._pool.submit(worker.main, train, folder)

    def wait_for(self, happened):
        deadline = time.monotonic() + 120
        while not happened():
            assert not self._training.done(), "the training has ended before it could be killed"
            assert time.monotonic() < deadline
            time.sleep(0.001)

    def kill(self):
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        self._pool.shutdown()

    def has_died(self):
        return isinstance(self._training.exception(), BrokenProcessPool)


@pytest.fixture
def started(children, recipe_for):
    running = []

    def start(folder, largest_file=None, **changes):
        place = folder / worker.FOLDER
        place.mkdir(parents=True, exist_ok=True)
        (place / worker.GIVEN).write_text(recipe_for(**changes).model_dump_json())
        running.append(Child(children, folder, largest_file))
        return running[-1]

    yield start
    for child in running:
        child.kill()


@pytest.fixture(scope="module")
def uninterrupted(fitted, tmp_path_factory):
    return fitted(tmp_path_factory.mktemp("whole") / "a", **SLOW)


def weights(folder, step):
    return (folder / f"checkpoints/checkpoint-{step}/model.safetensors").read_bytes()


def test_a_training_that_was_killed_twice_ends_as_one_that_was_not(
    uninterrupted, started, fitted, metrics, measured, tmp_path
):
    for attempt in range(5):  # on a busy machine the signal may come when all is over
        folder = tmp_path / f"killed{attempt}"
        child = started(folder, **SLOW)
        child.wait_for(lambda at=folder: (at / "checkpoints/checkpoint-5").exists() and metrics(at)[-1][0] > 7)
        child.kill()
        if (last := max(step for step, _ in metrics(folder))) < 24:
            break
    assert last < 24
    begun = [checkpoint.step for checkpoint in found(folder / "checkpoints")]
    # In a save: the weights have 99 kB.
    assert started(folder, largest_file=50_000, **SLOW).has_died()
    assert list((folder / "checkpoints/unfinished").glob("checkpoint-*/*"))
    assert [checkpoint.step for checkpoint in found(folder / "checkpoints")] == begun
    fitted(folder, **SLOW)
    assert metrics(folder) == metrics(uninterrupted)
    for step in (5, 10, 15, 20, 24):
        assert weights(folder, step) == weights(uninterrupted, step)
        assert measured(folder, step) == measured(uninterrupted, step)
    assert not (folder / "checkpoints/unfinished").exists()


def test_dropout_is_on_and_the_seed_decides(fitted, metrics, uninterrupted, tmp_path):
    other = fitted(tmp_path / "other", **SLOW | {"seed": 1, "epochs": 1})
    assert metrics(other)[1] != metrics(uninterrupted)[1]


@pytest.mark.parametrize("step", [5, 6])  # in the middle of an epoch of 6 steps, and at its end
def test_a_resume_gives_the_losses_of_an_uninterrupted_run(step, fitted, metrics, tmp_path):
    changes = SLOW | {"epochs": 2, "checkpoints": {"save_every": step, "keep": None}}
    whole, folder = fitted(tmp_path / "whole", **changes), tmp_path / "cut"
    folder.mkdir()
    shutil.copytree(whole / "checkpoints" / f"checkpoint-{step}", folder / "checkpoints" / f"checkpoint-{step}")
    fitted(folder, **changes)
    assert metrics(folder) == [row for row in metrics(whole) if row[0] > step]
    assert weights(folder, 12) == weights(whole, 12)


def test_a_torn_checkpoint_is_ignored_and_removed(uninterrupted, fitted, metrics, tmp_path):
    folder = tmp_path / "torn"
    checkpoints = folder / "checkpoints"
    shutil.copytree(uninterrupted / "checkpoints/checkpoint-10", checkpoints / "checkpoint-10")
    for torn in (checkpoints / "checkpoint-15", checkpoints / "unfinished/checkpoint-20"):
        shutil.copytree(uninterrupted / "checkpoints/checkpoint-15", torn)
        (torn / "measured.json").unlink()
        (torn / "model.safetensors").write_bytes(b"half")
    fitted(folder, **SLOW)
    assert metrics(folder)[0][0] == 11
    assert weights(folder, 15) == weights(uninterrupted, 15)
    assert not (checkpoints / "unfinished").exists()


def test_a_training_that_is_over_is_not_done_again(uninterrupted, recipe_for):
    before = {path: path.stat().st_mtime_ns for path in uninterrupted.rglob("*")}
    recipe = recipe_for(**SLOW)
    launch.train(recipe, read(recipe), uninterrupted)
    assert {path: path.stat().st_mtime_ns for path in uninterrupted.rglob("*")} == before
    assert run.finished(uninterrupted)["steps"] == 24


def only_the_end_is_missing(whole, step, place):
    """A training that was killed after its last checkpoint, before it said that it is over."""
    shutil.copytree(whole / "checkpoints" / f"checkpoint-{step}", place / "checkpoints" / f"checkpoint-{step}")
    return place


def test_a_training_that_was_killed_behind_its_last_step_takes_no_other(fitted, tmp_path):
    changes = {"min_steps": 8, "checkpoints": {"save_every": 4}}  # an epoch has 6 steps: the second one is cut short
    whole = fitted(tmp_path / "whole", **changes)
    folder = only_the_end_is_missing(whole, 8, tmp_path / "cut")
    fitted(folder, **changes)
    assert run.finished(folder) == run.finished(whole)
    assert [checkpoint.step for checkpoint in found(folder / "checkpoints")] == [8]
    assert weights(folder, 8) == weights(whole, 8)


def test_a_training_that_ended_early_and_was_killed_does_not_go_on(fitted, tmp_path):
    # One step too long for the model: each measurement is worse than the first.
    changes = {
        "model": {"type": "static", "dimension": 64, "vocabulary": 2000},
        "batch_size": 32,
        "learning_rate": 0.3,
        "warm_up_steps": 1,
        "epochs": 4,
        "canary": None,
        "checkpoints": {"eval_every": 1, "patience": 2},
    }
    whole = fitted(tmp_path / "whole", **changes)
    last = run.finished(whole)["steps"]
    assert last < 24
    folder = only_the_end_is_missing(whole, last, tmp_path / "cut")
    fitted(folder, **changes)
    assert run.finished(folder) == run.finished(whole)
    assert [checkpoint.step for checkpoint in found(folder / "checkpoints")] == [last]
