"""The saved states of a training by TRL: each is whole or absent, the newest and the best are kept.

checkpoints/checkpoint-<step>/   model or adapter, the trainer's state, measured.json with what it scored
checkpoints/best.json            {"step": 40, "value": 0.31, "by": "eval/loss"}
checkpoints/plan.json            what a resume must have the same
checkpoints/finished.json        the training is over: its last step, and warnings
"""

import json
import logging
import math
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.artifact import write_json
from core.artifact.files import fsync
from core.errors import UsageError
from core.retrieval.checkpoints import CHECKPOINTS, MEASURED, PREFIX, Checkpoint, found

log = logging.getLogger(__name__)

BEST, PLAN, FINISHED = "best.json", "plan.json", "finished.json"
TRAINER_STATE = ("optimizer.*", "scheduler.*", "scaler.*", "rng_state*", "trainer_state.json", "training_args.bin")
"""What a resume needs beside the model."""
UNFINISHED = "unfinished"
"""Folder that the trainer writes into; what lies in it at the start of a run is torn."""


@dataclass(frozen=True)
class Goal:
    """What makes a checkpoint the best."""

    by: str
    """Metric, such as `eval/loss`."""
    lower: bool
    """Whether less of it is better."""

    def better(self, value: float, than: float | None) -> bool:
        """Whether a measured `value` is; any number is better than none."""
        if math.isnan(value):
            return False
        return than is None or math.isnan(than) or (value < than if self.lower else value > than)


class Store:
    """The checkpoints of one training in `folder`, an unfinished artifact."""

    def __init__(self, folder: Path, goal: Goal, keep: int | None) -> None:
        self.folder, self._goal, self._keep = folder / CHECKPOINTS, goal, keep
        self.unfinished = self.folder / UNFINISHED
        """The trainer's `output_dir`."""

    def begin(self, plan: Mapping[str, Any]) -> Checkpoint | None:
        """Clear away what a killed run left half written; the checkpoint to go on from, None at the first start.

        `plan` says what a resume must have the same, as JSON can hold it.

        Raises:
            UsageError: the checkpoints are of a training of another plan.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(self.unfinished, ignore_errors=True)
        whole = found(self.folder)
        for path in set(self.folder.glob(f"{PREFIX}*")) - {checkpoint.path for checkpoint in whole}:
            shutil.rmtree(path)
        place = self.folder / PLAN
        if whole and place.exists():
            then = json.loads(place.read_text(encoding="utf-8"))
            if changed := [name for name in plan if plan[name] != then.get(name)]:
                raise UsageError(
                    f"the checkpoints are of another training: another {' and '.join(changed)} than now",
                    where=str(self.folder),
                    hint="put back what it was begun with, or start over with --force",
                )
        write_json(place, dict(plan))
        return whole[-1] if whole else None

    def finish(self, step: int, measured: Mapping[str, float], *, written: int | None = None) -> None:
        """Make the checkpoint that the trainer wrote whole, and drop what is not to be kept.

        `written` is the trainer's own number of the step. None: the same.
        """
        folder = self.unfinished / f"{PREFIX}{step if written is None else written}"
        write_json(folder / MEASURED, {"step": step, **_finite(measured)})
        for path in (*folder.rglob("*"), folder):
            fsync(path)
        folder.rename(self.folder / f"{PREFIX}{step}")
        fsync(self.folder)
        self._note_best()
        self._rotate()
        shutil.rmtree(self.unfinished)

    def best(self) -> Checkpoint:
        """The best checkpoint; the newest where nothing was measured.

        Raises:
            UsageError: there is none.
        """
        checkpoints = found(self.folder)
        if not checkpoints:
            raise UsageError("the training has left no checkpoint", where=str(self.folder))
        chosen, value = checkpoints[-1], None
        for checkpoint in checkpoints:
            seen = checkpoint.measured.get(self._goal.by)
            if seen is not None and self._goal.better(seen, value):
                chosen, value = checkpoint, seen
        return chosen

    def has_any(self) -> bool:
        """Whether there is a whole checkpoint."""
        return bool(found(self.folder))

    def end(self, facts: Mapping[str, Any]) -> None:
        """The training is over."""
        write_json(self.folder / FINISHED, dict(facts))

    def ended(self) -> dict[str, Any] | None:
        """What `end` was told; None while the training goes on."""
        path = self.folder / FINISHED
        return dict(json.loads(path.read_text(encoding="utf-8"))) if path.exists() else None

    def slim(self) -> None:
        """Drop what only a resume needs, when the training is over; models and what was measured stay."""
        for checkpoint in found(self.folder):
            for path in [path for pattern in TRAINER_STATE for path in checkpoint.path.glob(pattern)]:
                path.unlink()

    def _note_best(self) -> None:
        chosen = self.best()
        value = chosen.measured.get(self._goal.by)
        write_json(self.folder / BEST, {"step": chosen.step, "value": value, "by": self._goal.by})

    def _rotate(self) -> None:
        if self._keep is None:
            return
        chosen = self.best()
        for old in found(self.folder)[: -self._keep]:
            if old != chosen:
                # Out of the way first: half a checkpoint must not look like one.
                shutil.rmtree(old.path.rename(self.unfinished / old.path.name))


def _finite(measured: Mapping[str, float]) -> dict[str, float]:
    """JSON has no word for the others."""
    return {name: value for name, value in measured.items() if math.isfinite(value)}
