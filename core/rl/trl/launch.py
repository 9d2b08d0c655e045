"""Starts the process of a training by rewards and follows it to its end."""

from collections.abc import Mapping

from core import progress, worker
from core.artifact.files import LOGS
from core.rl.job import Job
from core.rl.recipe import Recipe
from core.tracking.tracker import METRICS
from core.tuning.trl import session
from core.tuning.trl.store import Goal, Store

WORKER = "core.rl.trl.worker"
GOAL = Goal("eval/reward", lower=False)


def train(job: Job, model: str) -> Store:
    """Train the model in the folder `model`, or go on where an earlier run was killed; the checkpoints.

    Raises:
        ProcessFailed: the process ended without a word; names the log.
        DrError: what it raised, with its sentence and exit code; what a service of ours raised that ended.
    """
    recipe, folder = job.recipe, job.folder
    store = Store(folder, GOAL, recipe.checkpoints.keep)
    if store.ended() is None:
        given = {
            "recipe": recipe.model_dump(mode="json"),
            "model": model,
            "train": str(job.rows.train),
            "held_out": None if job.rows.held_out is None else str(job.rows.held_out),
            "reward": str(job.reward),
        }
        command = session.command(WORKER, folder, recipe)
        with (
            progress.bar("rl: train", steps(recipe, job.rows.count)) as bar,
            worker.followed(folder / LOGS / METRICS, bar, _note),
        ):
            worker.run(command, folder, given, folder / LOGS / session.LOG, job.beat)
    return store


def steps(recipe: Recipe, rows: int) -> int:
    """Steps of the training on so many rows an epoch."""
    whole = max(1, recipe.epochs * rows // recipe.batch_size)
    return min(whole, recipe.steps or whole)


def steps_an_epoch(recipe: Recipe, rows: int) -> int:
    """Whole batches among so many rows."""
    return max(1, rows // recipe.batch_size)


def _note(values: Mapping[str, float]) -> str:
    return f"reward {values['train/reward']:.3f}" if "train/reward" in values else ""
