"""How many steps a training takes, of how many rows."""

import logging
from dataclasses import dataclass

from core.embed.recipe import Recipe
from core.errors import DataError

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Plan:
    """The arithmetic of a training, the same in all of its processes."""

    processes: int
    batch_size: int
    """Rows of a batch in each process."""
    accumulated: int
    """Batches of a step."""
    batches_an_epoch: int
    """In each process; all of them whole."""
    steps: int
    """Of the whole training."""
    rising: int
    """Steps over which the learning rate rises."""

    @property
    def steps_an_epoch(self) -> int:
        """The last step of an epoch takes what batches are left."""
        return -(-self.batches_an_epoch // self.accumulated)

    @property
    def rows_a_step(self) -> int:
        """In all processes together."""
        return self.batch_size * self.accumulated * self.processes

    def rate(self, step: int) -> float:
        """The learning rate's factor at `step`, from 0: up over the warm-up, then down to 0 in a line."""
        return min((step + 1) / self.rising, (self.steps - step) / max(1, self.steps - self.rising))


def plan(recipe: Recipe, num_rows: int, processes: int) -> Plan:
    """What `recipe` means for `num_rows` training rows.

    A set smaller than a batch of all processes makes the batch smaller.

    Raises:
        DataError: there are fewer rows than processes.
    """
    if num_rows < processes:
        raise DataError(f"{num_rows} training rows cannot be shared among {processes} processes")
    batch_size = min(recipe.rows_a_step, num_rows // processes)
    if batch_size < recipe.rows_a_step:
        log.info("the training set has %d rows: a batch has %d, not %d", num_rows, batch_size, recipe.rows_a_step)
    batches = num_rows // (batch_size * processes)
    accumulated = min(recipe.gradient_accumulation, batches)
    steps = 0 if recipe.epochs == 0 else max(recipe.epochs * -(-batches // accumulated), recipe.min_steps)
    rising = recipe.warm_up_steps if recipe.warm_up_steps is not None else round(recipe.warm_up * steps)
    return Plan(processes, batch_size, accumulated, batches, steps, max(1, min(rising, steps)))
