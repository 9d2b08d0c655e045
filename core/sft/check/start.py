"""Starts the check of a fine-tuning. Imports nothing heavy."""

from core.sft.recipe import Recipe
from core.tuning.check import apart

WORKER = "core.sft.check.worker"


def run(recipe: Recipe) -> list[str]:
    """What was seen, a line each: rows, model, tokens, batches, disk, what verl says of its configuration.

    Raises:
        DrError: the training would fail, and why.
    """
    return apart.run(WORKER, recipe)
