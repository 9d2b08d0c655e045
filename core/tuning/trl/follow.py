"""When a training by TRL logs, measures and saves; what is told of it meanwhile, and what ends it early."""

# ruff: noqa: ARG002 - the signatures are those of transformers

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState

from core.tracking import Tracker
from core.tuning.spec import Checkpoints
from core.tuning.trl.store import Store
from core.tuning.watch.tripped import Tripped, Watch

log = logging.getLogger(__name__)

NAMES = {
    "loss": "train/loss",
    "learning_rate": "train/learning_rate",
    "grad_norm": "train/grad_norm",
    "eval_loss": "eval/loss",
}
"""Values that every training logs, and their names in ours."""

Values = Mapping[str, float]


def renamed(logs: Values) -> dict[str, float]:
    """The values of `logs` that have a name of ours."""
    return {NAMES[name]: float(value) for name, value in logs.items() if name in NAMES}


@dataclass(frozen=True)
class Plan:
    """The steps of a training."""

    steps: int
    """Of the whole training."""
    steps_an_epoch: int
    rows_a_step: int
    """Conversations or answers."""
    log_every: int
    checkpoints: Checkpoints
    measures: bool
    """Whether anything is held out."""
    updates: int = 1
    """Changes of the weights in a step, each of which the trainer counts as one."""


class Follow(TrainerCallback):
    """Follows one training.

    `rename` makes our values of a log of the trainer's; `watch` sees them with their step.
    """

    def __init__(
        self,
        plan: Plan,
        store: Store,
        tracker: Tracker,
        watch: Watch,
        *,
        rename: Callable[[Values], dict[str, float]] = renamed,
    ) -> None:
        self._plan, self._store, self._tracker, self._watch, self._rename = plan, store, tracker, watch, rename
        self.tripped: list[Tripped] = []
        """What was wrong with the training in this session."""
        self._measured: dict[str, float] = {}
        self._steps, self._seconds, self._since = 0, 0.0, time.monotonic()

    def on_train_begin(self, args: Any, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        self._since = time.monotonic()

    def on_step_end(self, args: Any, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Decide what is due. What is saved is measured; what is measured is logged, so that NaN is seen before."""
        if state.global_step % self._plan.updates:
            return
        self._steps += 1
        self._seconds += self._lap()
        step, plan, spec = self._step(state), self._plan, self._plan.checkpoints
        last = step >= plan.steps
        control.should_save = last or step % (spec.save_every or plan.steps_an_epoch) == 0
        due = control.should_save or (spec.eval_every is not None and step % spec.eval_every == 0)
        control.should_evaluate = plan.measures and due
        control.should_log = due or step == 1 or step % plan.log_every == 0
        self._measured = {}

    def on_log(self, args: Any, state: TrainerState, control: TrainerControl, **about: Any) -> None:
        values = self._rename(about["logs"])
        if not values:
            return
        if "train/loss" in values and self._steps:
            values["time/step_seconds"] = self._seconds / self._steps
            values["train/samples_per_second"] = self._plan.rows_a_step * self._steps / max(self._seconds, 1e-9)
            self._steps, self._seconds = 0, 0.0
        self._tracker.log(values, self._step(state))
        self._measured |= {name: value for name, value in values.items() if name.startswith("eval/")}
        for word in self._watch.see(self._step(state), values):
            self._told(word)
            if word.action == "stop":
                # What led here is not worth keeping.
                control.should_training_stop = True
                control.should_evaluate = control.should_save = False

    def on_evaluate(self, args: Any, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        self._lap()

    def on_save(self, args: Any, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        self._store.finish(self._step(state), self._measured, written=state.global_step)
        self._lap()

    def on_train_end(self, args: Any, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        for word in self._watch.end(self._step(state)):
            self._told(word)

    def _step(self, state: TrainerState) -> int:
        return int(state.global_step) // self._plan.updates

    def _told(self, word: Tripped) -> None:
        log.warning("%s", word)
        self.tripped.append(word)

    def _lap(self) -> float:
        now = time.monotonic()
        passed, self._since = now - self._since, now
        return passed
