"""Starts the process of a fine-tuning and follows it to its end."""

from collections.abc import Mapping
from pathlib import Path

from core import progress, worker
from core.artifact.files import LOGS
from core.sft.recipe import Recipe
from core.tracking.tracker import METRICS
from core.tuning.rows.composed import Composed
from core.tuning.trl import session
from core.tuning.trl.store import Goal, Store

WORKER = "core.sft.trl.worker"
GOAL = Goal("eval/loss", lower=True)


def train(recipe: Recipe, rows: Composed, model: str, folder: Path) -> Store:
    """Train the model in the folder `model`, or go on where an earlier run was killed; the checkpoints.

    Raises:
        ProcessFailed: the process ended without a word; names the log.
        DrError: what it raised, with its sentence and exit code.
    """
    store = Store(folder, GOAL, recipe.checkpoints.keep)
    if store.ended() is None:
        given = {
            "recipe": recipe.model_dump(mode="json"),
            "model": model,
            "train": str(rows.train),
            "held_out": None if rows.held_out is None else str(rows.held_out),
        }
        command = session.command(WORKER, folder, recipe)
        with (
            progress.bar("sft: train", steps(recipe, rows.count)) as bar,
            worker.followed(folder / LOGS / METRICS, bar, _note),
        ):
            worker.run(command, folder, given, folder / LOGS / session.LOG)
    return store


def steps(recipe: Recipe, rows: int) -> int:
    """Steps of the training on so many rows an epoch."""
    whole = recipe.epochs * steps_an_epoch(recipe, rows)
    return min(whole, recipe.steps or whole)


def steps_an_epoch(recipe: Recipe, rows: int) -> int:
    """Batches of so many rows, the last of them smaller."""
    return -(-rows // recipe.batch_size)


def _note(values: Mapping[str, float]) -> str:
    return f"loss {values['train/loss']:.3f}" if "train/loss" in values else ""
