"""The watch over a supervised fine-tuning: losses that are no numbers, and one that does not fall."""

import math
from collections.abc import Iterable, Mapping

from core.tuning.trained import Trained
from core.tuning.watch import advice
from core.tuning.watch.series import falls
from core.tuning.watch.tripped import Tripped

NUMBERS = ("train/loss", "train/grad_norm", "eval/loss")
DATA = "and look at the data: the answers must follow from what is asked, in one form"


def no_number(values: Mapping[str, float], names: Iterable[str]) -> tuple[str, float] | None:
    """The first of `names` that is NaN or infinite, and what it is."""
    return next(((name, values[name]) for name in names if not math.isfinite(values.get(name, 0.0))), None)


class LossWatch:
    """Sees what is logged, step by step; a resumed run shows it the earlier rows first (`seen`)."""

    def __init__(self, recipe: Trained) -> None:
        self._recipe = recipe
        self._losses: list[float] = []

    def see(self, step: int, values: Mapping[str, float]) -> list[Tripped]:
        """What is wrong with the values of a step: nothing can be learned from a loss that is no number."""
        if bad := no_number(values, NUMBERS):
            remedies = tuple(advice.no_number(self._recipe))
            return [Tripped("nan", "stop", step, f"`{bad[0]}` is {bad[1]}", remedies, DATA)]
        if "train/loss" in values:
            self._losses.append(values["train/loss"])
        return []

    def end(self, step: int) -> list[Tripped]:
        """What the whole training shows: a loss that did not fall."""
        if falls(self._losses):
            return []
        quarter = len(self._losses) // 4
        first, last = sum(self._losses[:quarter]) / quarter, sum(self._losses[-quarter:]) / quarter
        rate = self._recipe.learning_rate
        lines = (
            (f"learning_rate={rate * 3:g}", f"now {rate:g}: larger steps; {rate / 10:g} where the loss jumps"),
            ("schedule.warm_up=0.1", "smaller first steps"),
        )
        return [
            Tripped(
                "flat", "warn", step, f"the loss did not fall: {first:.4f} at first, {last:.4f} at last", lines, DATA
            )
        ]
