"""When a training logs, measures and saves, what is told of it meanwhile, and what ends it early."""

# ruff: noqa: ARG002 - the signatures are those of transformers

import logging
import math
import time
from pathlib import Path
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState

from core.embed.fit import advice
from core.embed.fit.examine import NDCG, VAL_LOSS
from core.embed.fit.plan import Plan
from core.embed.recipe import Recipe
from core.errors import DrError
from core.progress import Bar
from core.retrieval.checkpoints import cost, found
from core.tracking import Tracker
from core.tuning.watch.series import falls

NAMES = {
    "loss": "train/loss",
    "learning_rate": "train/learning_rate",
    "grad_norm": "train/grad_norm",
    VAL_LOSS: "eval/loss",
    NDCG: f"eval/{NDCG}",
}
"""Values of transformers' log, and their names in ours."""

LEAST = 0.05
"""A model that finds less than this (nDCG@10) before its training has nothing that could collapse."""

log = logging.getLogger(__name__)


class Watch(TrainerCallback):
    """Watches over one training. `tracker` and `bar` are those of the first process; others have none."""

    def __init__(self, recipe: Recipe, plan: Plan, tracker: Tracker | None, bar: Bar | None) -> None:
        self._recipe, self._plan, self._tracker, self._bar = recipe, plan, tracker, bar
        self.warnings: list[str] = []
        """What whoever started the training should know of it at its end."""
        self._steps, self._seconds, self._since = 0, 0.0, time.monotonic()

    def on_train_begin(self, args: Any, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        self._since = time.monotonic()
        if self._bar:
            self._bar.advance(state.global_step)

    def on_step_end(self, args: Any, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Decide what is due. What is saved is measured; what is measured is logged, so that NaN is seen before."""
        self._steps += 1
        self._seconds += self._lap()
        if self._bar:
            self._bar.advance()
            self._bar.note(f"{self._rate():,.0f} samples/s")
        step, spec = state.global_step, self._recipe.checkpoints
        last = step == self._plan.steps
        control.should_save = last or step % (spec.save_every or self._plan.steps_an_epoch) == 0
        control.should_evaluate = control.should_save or (spec.eval_every is not None and step % spec.eval_every == 0)
        control.should_log = control.should_evaluate or step == 1 or step % self._recipe.log_every == 0

    def on_log(self, args: Any, state: TrainerState, control: TrainerControl, **about: Any) -> None:
        """Raises DrError: the loss is no number any more."""
        logs: dict[str, float] = about["logs"]
        values = {NAMES[name]: value for name, value in logs.items() if name in NAMES}
        if "loss" in logs:
            values["train/samples_per_second"] = self._rate()
        if values and self._tracker:
            self._tracker.log(values, state.global_step)
        bad = next((logs[name] for name in ("loss", VAL_LOSS) if not math.isfinite(logs.get(name, 0.0))), None)
        if bad is not None:
            raise DrError(
                f"the loss is {bad} at step {state.global_step}: the training has left all measure",
                hint=advice.no_number(self._recipe),
            )

    def on_evaluate(self, args: Any, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Stop a training that has collapsed, or that gets no better."""
        if self._has_collapsed(state):
            control.should_training_stop = True
            # The ruined state is worth keeping only where there is no other.
            control.should_save = not found(Path(args.output_dir))
        elif self._is_stuck(state):
            control.should_training_stop = control.should_save = True
        self._lap()

    def on_save(self, args: Any, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        self._lap()

    def on_train_end(self, args: Any, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        self._tell_flat(state)

    def is_over(self, state: TrainerState) -> bool:
        """Whether a training that was saved in `state` took its last step there; then its warnings are told again."""
        over = self._has_collapsed(state) or self._is_stuck(state) or state.global_step >= self._plan.steps
        if over:
            self._tell_flat(state)
        return over

    def _tell_flat(self, state: TrainerState) -> None:
        losses = [row["loss"] for row in state.log_history if "loss" in row]
        if not falls(losses):
            quarter = len(losses) // 4
            first, last = sum(losses[:quarter]) / quarter, sum(losses[-quarter:]) / quarter
            self.warnings.append(
                f"the loss did not fall: {first:.4f} at first, {last:.4f} at last; {advice.flat(self._recipe)}"
            )

    def _has_collapsed(self, state: TrainerState) -> bool:
        canary, step, measured = self._recipe.canary, state.global_step, _measured(state)
        now = measured[-1].get(NDCG) if measured else None
        base = next((row[NDCG] for row in measured if row["step"] == 0 and NDCG in row), None)
        if canary is None or base is None or now is None or step == 0 or base < LEAST or now >= canary.below * base:
            return False
        last = step == self._plan.steps
        when = f"at the last step, {step}" if last else f"training stopped at step {step} of {self._plan.steps}"
        self.warnings.append(
            f"{when}: nDCG@10 on what is held out fell from {base:.3f} before training to {now:.3f}; "
            f"{advice.collapsed(self._recipe)}"
        )
        return True

    def _is_stuck(self, state: TrainerState) -> bool:
        spec, measured = self._recipe.checkpoints, [row for row in _measured(state) if row["step"] > 0]
        costs = [cost(row, spec.select_by) for row in measured]
        if spec.patience is None or not costs or len(costs) - 1 - costs.index(min(costs)) < spec.patience:
            return False
        step = int(measured[-1]["step"])
        log.info("%s got no better in %d measurements: training ends at step %d", spec.select_by, spec.patience, step)
        return True

    def _rate(self) -> float:
        """Rows a second in all processes, without the time for measuring and saving."""
        return self._steps * self._plan.rows_a_step / max(self._seconds, 1e-9)

    def _lap(self) -> float:
        now = time.monotonic()
        passed, self._since = now - self._since, now
        return passed


def _measured(state: TrainerState) -> list[dict[str, float]]:
    """What was measured on what is held out, before the first step too."""
    return [row for row in state.log_history if VAL_LOSS in row or NDCG in row]
