"""verl's checkpoints in an unfinished artifact: which are whole, which is the best, which go.

checkpoints/global_step_<step>/                  verl's, shards and optimiser
checkpoints/latest_checkpointed_iteration.txt    verl's: the newest whole one
checkpoints/best.json                            {"step": 40, "value": 0.31, "by": "eval/reward"}
checkpoints/finished.json                        the training is over: its last step, and warnings
"""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from core.artifact import write_json
from core.errors import UsageError
from core.retrieval.checkpoints import CHECKPOINTS
from core.tuning.trl.store import BEST, FINISHED, Goal

PREFIX = "global_step_"
NEWEST = "latest_checkpointed_iteration.txt"


class Saved:
    """The checkpoints of one training in `folder`."""

    def __init__(self, folder: Path, goal: Goal, keep: int | None) -> None:
        self.folder, self.goal, self._keep = folder / CHECKPOINTS, goal, keep
        self._seen: tuple[object, ...] = ()

    def begin(self) -> int | None:
        """Clear away what a killed run left half written; the step to go on from, None at the first start."""
        self.folder.mkdir(parents=True, exist_ok=True)
        whole = self.steps()
        for path in self.folder.glob(f"{PREFIX}*"):
            if _step(path) not in whole:
                shutil.rmtree(path)
        return whole[-1] if whole else None

    def steps(self) -> list[int]:
        """Those that are whole, ascending."""
        try:
            newest = int((self.folder / NEWEST).read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):  # not yet, or just being written
            return []
        return sorted(step for path in self.folder.glob(f"{PREFIX}*") if (step := _step(path)) <= newest)

    def path(self, step: int) -> Path:
        """The folder of a checkpoint."""
        return self.folder / f"{PREFIX}{step}"

    def best(self, measured: Mapping[int, float]) -> tuple[int, float | None]:
        """The best of the whole ones by what was measured at their steps; the newest where nothing was.

        Raises:
            UsageError: there is none.
        """
        steps = self.steps()
        if not steps:
            raise UsageError("the training has left no checkpoint", where=str(self.folder))
        chosen, value = steps[-1], None
        for step in steps:
            if step in measured and self.goal.better(measured[step], value):
                chosen, value = step, measured[step]
        return chosen, value

    def tidy(self, measured: Mapping[int, float]) -> None:
        """Note the best, and drop what is not to be kept: all but the newest few and the best."""
        steps = self.steps()
        if not steps or (tuple(steps), dict(measured)) == self._seen:
            return
        step, value = self.best(measured)
        write_json(self.folder / BEST, {"step": step, "value": value, "by": self.goal.by})
        for old in steps[: -self._keep] if self._keep else ():
            if old != step:
                # Out of the way first: half a checkpoint must not look like one.
                gone = self.path(old).rename(self.folder / f"gone-{old}")
                shutil.rmtree(gone)
        self._seen = (tuple(self.steps()), dict(measured))

    def end(self, facts: Mapping[str, Any]) -> None:
        """The training is over."""
        write_json(self.folder / FINISHED, dict(facts))

    def ended(self) -> dict[str, Any] | None:
        """What `end` was told; None while the training goes on."""
        path = self.folder / FINISHED
        return dict(json.loads(path.read_text(encoding="utf-8"))) if path.exists() else None


def _step(path: Path) -> int:
    return int(path.name.removeprefix(PREFIX))
