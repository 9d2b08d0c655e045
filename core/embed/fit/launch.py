"""A training in several processes: how torchrun is called, and what comes back of it."""

import contextlib
import json
import os
import shutil
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from core import process, progress
from core.artifact import write_json
from core.artifact.files import LOGS
from core.embed.fit import run
from core.embed.fit.plan import plan
from core.embed.losses import teacher
from core.embed.losses.spec import Distilled
from core.embed.recipe import Recipe
from core.embed.rows.row import Material
from core.errors import DrError, ProcessFailed
from core.process import Command
from core.progress import Bar
from core.tracking.record import read
from core.tracking.tracker import METRICS

WORKER = "core.embed.fit.worker"
FOLDER = "torchrun"
"""Folder that the processes get the recipe from and leave an error in; gone when all went well."""
RECIPE, ERROR, LOG = "recipe.json", "error.json", "torchrun.log"

SECONDS_BETWEEN_LOOKS = 2.0
"""How often the record of the processes is read while they train."""


def processes(recipe: Recipe) -> int:
    """How many share the work."""
    if recipe.machine.processes is not None:
        return recipe.machine.processes
    on_gpus = recipe.machine.device in {"auto", "cuda"}
    return max(1, torch.cuda.device_count()) if on_gpus else 1


def train(recipe: Recipe, material: Material, folder: Path) -> None:
    """Train in this process, or in others where the recipe wants several or DeepSpeed; a teacher scores here first.

    Raises:
        ProcessFailed: a process ended without a word; quotes the log.
        DrError: what any of them raised, with its sentence and exit code.
    """
    if run.finished(folder) is not None:
        return
    run.check(recipe, material)
    material = taught(recipe, material, folder)
    number = processes(recipe)
    if number == 1 and recipe.machine.deepspeed is None:
        run.run(recipe, material, folder)
        return
    steps = plan(recipe, len(material.training), number).steps
    place = folder / FOLDER
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    write_json(place / RECIPE, recipe.model_dump(mode="json"))
    (folder / LOGS).mkdir(exist_ok=True)
    with progress.bar("embed: train", steps) as bar, _followed(folder / LOGS / METRICS, bar):
        try:
            process.run(command(folder, number), folder / LOGS / LOG)
        except ProcessFailed:
            if (place / ERROR).exists():
                raise told(json.loads((place / ERROR).read_text(encoding="utf-8"))) from None
            what = "a process of the training ended without a word of its own; its last words stand in the log"
            raise ProcessFailed(what, where=str(folder / LOGS / LOG)) from None
    shutil.rmtree(place)


def taught(recipe: Recipe, material: Material, folder: Path) -> Material:
    """The material with the scores of the teacher that the loss has; those that stand in `folder` are not made anew."""
    if not isinstance(recipe.loss, Distilled) or recipe.loss.teacher is None:
        return material
    return teacher.taught(material, recipe.loss.teacher, folder)


def command(folder: Path, number: int) -> Command:
    """`number` processes of the worker on this machine, with the cores shared among them."""
    run_module = ("-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={number}", "--module", WORKER)
    threads = max(1, len(os.sched_getaffinity(0)) // number) if hasattr(os, "sched_getaffinity") else 1
    return Command(
        (sys.executable, *run_module, str(folder)),
        env={"OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", str(threads))},
    )


def written(error: DrError) -> dict[str, Any]:
    """An error as a process leaves it for the one that started it."""
    return {"what": error.what, "where": error.where, "hint": error.hint, "exit_code": error.exit_code}


def told(left: dict[str, Any]) -> DrError:
    """The error that `written` wrote: the same sentence and exit code."""
    error = DrError(left["what"], where=left["where"], hint=left["hint"])
    error.exit_code = left["exit_code"]
    return error


@contextlib.contextmanager
def _followed(metrics: Path, bar: Bar) -> Iterator[None]:
    """Advance `bar` as rows come into `metrics`."""
    over = threading.Event()
    follower = threading.Thread(target=_follow, args=(metrics, bar, over))
    follower.start()
    try:
        yield
    finally:
        over.set()
        follower.join()


def _follow(metrics: Path, bar: Bar, over: threading.Event) -> None:
    done = 0
    while not over.wait(SECONDS_BETWEEN_LOOKS):
        rows = read(metrics)
        step = max((row.step for row in rows), default=0)
        if step > done:
            bar.advance(step - done)
            done = step
        rates = [row.values["train/samples_per_second"] for row in rows if "train/samples_per_second" in row.values]
        if rates:
            bar.note(f"{rates[-1]:,.0f} samples/s")
