"""Starts the check of a training by rewards. Imports nothing heavy."""

from core.rl.recipe import Recipe
from core.tuning.check import apart

WORKER = "core.rl.check.worker"


def run(recipe: Recipe) -> list[str]:
    """What was seen, a line each: rows, model, prompts, tool, reward, batches, disk, what verl says.

    Raises:
        DrError: the training would fail, and why.
    """
    return apart.run(WORKER, recipe)
