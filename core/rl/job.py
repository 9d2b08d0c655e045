"""What a trainer is given for one run, whichever it is."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from core.rl.recipe import Recipe
from core.tuning.rows.composed import Composed


@dataclass(frozen=True)
class Job:
    """One run of a training, ready to start or to go on."""

    recipe: Recipe
    folder: Path
    """The unfinished artifact."""
    rows: Composed
    """What is asked."""
    reward: Path
    """The reward as JSON, with the address of the search; see `core.reward.plain`."""
    search: str | None
    """Address of `POST /retrieve` for the tool. None: nothing is searched."""
    beat: Callable[[], None]
    """To be called while waiting: raises when a service of ours has ended."""
