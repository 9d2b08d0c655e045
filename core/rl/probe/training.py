"""What the training after the probe would ask for. Standard library only."""

import math
from dataclasses import asdict, dataclass
from typing import Any

from core.rl.probe.recipe import Training


@dataclass(frozen=True)
class Pace:
    """What an answer took in the probe."""

    prompt_tokens: float
    answer_tokens: float
    answer_seconds: float | None
    """Of the clock, many being written at once. None: all were known already."""
    reward_seconds: float


@dataclass(frozen=True)
class Told:
    """What so many steps would take; the updates of the weights come on top."""

    steps: int
    rollouts: int
    prompt_tokens: int
    answer_tokens: int
    answer_hours: float | None
    """As fast as the probe's server answered."""
    reward_hours: float
    """As fast as the reward was in the probe."""

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def steps(training: Training, rows: int) -> int:
    """Steps of the training over so many rows."""
    return training.steps or max(1, math.ceil(training.epochs * rows / training.batch_size))


def tell(training: Training, rows: int, pace: Pace) -> Told:
    """What the training would take at this pace."""
    number = steps(training, rows)
    rollouts = number * training.batch_size * training.group_size
    hours = None if pace.answer_seconds is None else rollouts * pace.answer_seconds / 3600
    return Told(
        steps=number,
        rollouts=rollouts,
        prompt_tokens=round(rollouts * pace.prompt_tokens),
        answer_tokens=round(rollouts * pace.answer_tokens),
        answer_hours=hours,
        reward_hours=rollouts * pace.reward_seconds / 3600,
    )
