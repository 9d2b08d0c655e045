"""A training from its first step, or its newest checkpoint, to its end."""

import contextlib
import json
import os
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from accelerate import PartialState
from accelerate.utils import set_seed
from sentence_transformers import SentenceTransformer
from transformers import TrainerState
from transformers.trainer import TRAINER_STATE_NAME
from transformers.utils.logging import disable_progress_bar

from core import progress
from core.artifact import write_json
from core.artifact.files import LOGS, read_json
from core.embed.fit import knobs
from core.embed.fit.batch import Collate
from core.embed.fit.checkpoints import Store
from core.embed.fit.examine import NDCG, Examiner
from core.embed.fit.objective import Objective
from core.embed.fit.order import Loader, Order, weightless
from core.embed.fit.plan import Plan, plan
from core.embed.fit.trainer import Trainer, arguments
from core.embed.fit.watch import Watch
from core.embed.models import build, saved
from core.embed.recipe import Recipe
from core.embed.rows.row import Material
from core.errors import Missing, RecipeError, UsageError
from core.lazy import require
from core.progress import Bar
from core.retrieval.checkpoints import CHECKPOINTS, PREFIX, Checkpoint, found
from core.tracking import Tracker, open_tracker

FINISHED = "finished.json"
"""Beside the checkpoints: the training is over."""
PLAN = "plan.json"
"""Beside the checkpoints: what a resume must have the same."""

ZERO2 = {
    "zero_optimization": {"stage": 2, "overlap_comm": True, "contiguous_gradients": True},
    "bf16": {"enabled": "auto"},
    "gradient_accumulation_steps": "auto",
    "gradient_clipping": "auto",
    "train_batch_size": "auto",
    "train_micro_batch_size_per_gpu": "auto",
}
"""DeepSpeed's configuration; transformers puts the recipe's numbers for "auto"."""


def run(recipe: Recipe, material: Material, folder: Path) -> None:
    """Train in this process, one of as many as its environment says (torchrun), and leave `checkpoints/` and `logs/`.

    Goes on from the newest whole checkpoint; does nothing when the training is over.

    Raises:
        DataError: fewer training rows than processes.
        DrError: the loss is no number any more.
        Missing: no GPU, or no DeepSpeed.
        UsageError: the checkpoints are of a training with another number of processes.
        OutOfMemory: with the fields that need less.
    """
    if finished(folder) is not None:
        return
    check(recipe, material)
    disable_progress_bar()  # type: ignore[no-untyped-call]  # of loading and writing files; ours is of the steps
    rank, processes = int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))
    steps = plan(recipe, len(material.training), processes)
    store = Store(folder / CHECKPOINTS, recipe.checkpoints)
    with knobs.explained(recipe), _watched(recipe, steps, folder, first=rank == 0) as watch:
        last = _fit(recipe, material, steps, store, watch)
    if rank == 0:
        write_json(store.folder / FINISHED, {"steps": last, "warnings": watch.warnings})


def finished(folder: Path) -> dict[str, Any] | None:
    """The last step of a training that is over, and `warnings` about it; None when it is not."""
    path = folder / CHECKPOINTS / FINISHED
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.exists() else None


def check(recipe: Recipe, material: Material) -> None:
    """What can be known before the first step.

    Raises:
        RecipeError: checkpoints shall be chosen by what cannot be measured.
        Missing: no GPU, or no DeepSpeed.
    """
    if recipe.checkpoints.select_by == NDCG and material.exam is None and not material.graded:
        raise RecipeError("nothing is held out that nDCG@10 could be measured on", where="checkpoints.select_by")
    device = recipe.machine.device
    available = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if not available.get(device, True):
        raise Missing(
            f"there is no device `{device}` that torch can use", hint="machine.device=auto takes what is there"
        )
    if recipe.machine.deepspeed:
        _require_deepspeed()


def _require_deepspeed() -> None:
    try:
        require("deepspeed")
    except Missing:
        hint = "pip install deepspeed, or take machine.deepspeed=null"
        raise Missing("the package `deepspeed` is not installed", hint=hint) from None


def _fit(recipe: Recipe, material: Material, steps: Plan, store: Store, watch: Watch) -> int:
    """The last step that was taken."""
    args = arguments(recipe, steps, store.folder, ZERO2 if recipe.machine.deepspeed else None)
    device, state = args.device, PartialState()  # asking for the device starts the group of processes
    if state.is_main_process:
        store.tidy()
        _check_plan(steps, store.folder / PLAN)
    state.wait_for_everyone()
    saved_states = found(store.folder)
    if saved_states and (ended := _ended(saved_states[-1], steps, watch)) is not None:
        return ended
    torch.manual_seed(recipe.seed)
    model = build.build(recipe.model, material.texts, str(device))
    if recipe.machine.gradient_checkpointing:
        _checkpoint_activations(model)
    args.eval_on_start = not saved_states
    examiner = Examiner(
        recipe.loss,
        material,
        batch_size=steps.batch_size,
        rank=state.process_index,
        processes=state.num_processes,
    )
    if steps.steps == 0:
        _keep_untrained(model, store, examiner)
        return 0
    workers = recipe.machine.workers
    loader = Loader(
        material.training,
        Order(len(material.training), steps, seed=recipe.seed, rank=state.process_index),
        Collate(weightless(model) if workers else model, recipe.loss),
        workers=workers,
    )
    trainer = Trainer(
        model,
        Objective(model, recipe.loss),
        loader,
        plan=steps,
        store=store,
        examiner=examiner,
        args=args,
        callback=watch,
    )
    set_seed(recipe.seed, device_specific=True)  # other dropout in each process
    trainer.train(resume_from_checkpoint=str(saved_states[-1].path) if saved_states else None)
    return int(trainer.state.global_step)


def _ended(newest: Checkpoint, steps: Plan, watch: Watch) -> int | None:
    """The step at which the training ended that was killed before it could say so; None where steps are left.

    The trainer would take a step first and ask then.
    """
    path = newest.path / TRAINER_STATE_NAME
    if steps.steps == 0 or not path.is_file():
        return None
    state = TrainerState.load_from_json(str(path))
    return int(state.global_step) if watch.is_over(state) else None


def _check_plan(steps: Plan, path: Path) -> None:
    """Raises UsageError when the checkpoints beside `path` are of a training with another number of processes or rows:
    its order of the rows cannot be gone on with. Without a checkpoint there is nothing to go on with."""
    now = asdict(steps)
    if path.exists() and found(path.parent):
        then = read_json(path)
        if changed := [
            f"{name} {then.get(name)}, now {value}" for name, value in now.items() if value != then.get(name)
        ]:
            hint = "go on where there are as many GPUs, set machine.processes, or start over with --force"
            raise UsageError(f"the training was begun with {'; '.join(changed)}", where=str(path), hint=hint)
    write_json(path, now)


def _checkpoint_activations(model: SentenceTransformer) -> None:
    inner: Any = getattr(model, "transformers_model", None)
    if inner is None:
        raise RecipeError(
            "the model has no transformer, and keeps no activations", where="machine.gradient_checkpointing"
        )
    inner.activation_checkpointing_enable({"use_reentrant": False})


def _keep_untrained(model: SentenceTransformer, store: Store, examiner: Examiner) -> None:
    """The model as it is before training, as the only checkpoint."""
    if not found(store.folder):
        measured = examiner.measured(model)
        if PartialState().is_main_process:
            saved.save(model, store.unfinished / f"{PREFIX}0")
            store.finish(0, measured)


@contextlib.contextmanager
def _watched(recipe: Recipe, steps: Plan, folder: Path, *, first: bool) -> Iterator[Watch]:
    """The watch over a training; the first process alone tells of it."""
    tracker: Tracker | None = None
    bar: Bar | None = None
    with contextlib.ExitStack() as stack:
        if first:
            tracked = open_tracker(recipe.tracking, folder / LOGS, recipe.model_dump(mode="json"))
            tracker = stack.enter_context(tracked)
            bar = stack.enter_context(progress.bar("embed: train", steps.steps))
        yield Watch(recipe, steps, tracker, bar)
