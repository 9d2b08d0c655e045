"""A training in several processes: how torchrun is called, and what comes back of it."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

import torch

from core import progress, worker
from core.artifact.files import LOGS
from core.embed.fit import run
from core.embed.fit.plan import plan
from core.embed.losses import teacher
from core.embed.losses.spec import Distilled
from core.embed.recipe import Recipe
from core.embed.rows.row import Material
from core.process import Command
from core.tracking.tracker import METRICS

WORKER = "core.embed.fit.worker"
LOG = "torchrun.log"


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
    with progress.bar("embed: train", steps) as bar, worker.followed(folder / LOGS / METRICS, bar, _rate):
        worker.run(command(folder, number), folder, recipe.model_dump(mode="json"), folder / LOGS / LOG)


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


def _rate(values: Mapping[str, float]) -> str:
    rate = values.get("train/samples_per_second")
    return f"{rate:,.0f} samples/s" if rate else ""
