"""The saved states of a training: each is whole or absent, the newest and the best are kept.

`checkpoints/checkpoint-<step>/` holds a complete model, the trainer's state beside it, and what was measured of it.
"""

import logging
import shutil
from collections.abc import Sequence
from pathlib import Path

from core.artifact import write_json
from core.artifact.files import fsync
from core.embed.fit.spec import Checkpoints
from core.retrieval.checkpoints import MEASURED, PREFIX, Checkpoint, best, cost, found

log = logging.getLogger(__name__)

UNFINISHED = "unfinished"
"""Folder for a checkpoint that is being written or deleted; what lies in it at the start of a run is torn."""
TRAINER_STATE = (
    "optimizer.*",
    "scheduler.*",
    "scaler.*",
    "rng_state*",
    "trainer_state.json",
    "global_step*",
    "latest",
    "zero_*",
)
"""What a resume needs beside the model; the last ones are DeepSpeed's."""


class Store:
    """The checkpoints of one training; one process writes."""

    def __init__(self, folder: Path, spec: Checkpoints) -> None:
        self.folder, self._spec = folder, spec

    @property
    def unfinished(self) -> Path:
        return self.folder / UNFINISHED

    def tidy(self) -> None:
        """Remove what a killed run left half written or half deleted."""
        self.folder.mkdir(parents=True, exist_ok=True)
        whole = {checkpoint.path for checkpoint in found(self.folder)}
        for path in [*self.folder.glob(f"{PREFIX}*"), self.unfinished]:
            if path not in whole and path.exists():
                shutil.rmtree(path)

    def finish(self, step: int, measured: dict[str, float]) -> None:
        """Make `unfinished/checkpoint-<step>` whole, and drop what is not to be kept."""
        name = f"{PREFIX}{step}"
        made = self.unfinished / name
        write_json(made / MEASURED, {"step": step, **measured})
        for path in (*made.rglob("*"), made):
            fsync(path)
        made.rename(self.folder / name)
        fsync(self.folder)
        self._rotate()
        shutil.rmtree(self.unfinished)

    def _rotate(self) -> None:
        kept = self._spec.keep
        checkpoints = found(self.folder)
        if kept is None:
            return
        chosen = best(checkpoints, self._spec.select_by)
        for old in checkpoints[:-kept]:
            if old != chosen:
                # Out of the way first: half a checkpoint must not look like one.
                shutil.rmtree(old.path.rename(self.unfinished / old.path.name))


def choose(checkpoints: Sequence[Checkpoint], select_by: str) -> Checkpoint:
    """The best by `select_by`. Warns where `val_loss` and `ndcg@10` disagree."""
    chosen = best(checkpoints, select_by)
    other = "ndcg@10" if select_by == "val_loss" else "val_loss"
    rival = best(checkpoints, other)
    if cost(rival.measured, other) < cost(chosen.measured, other):
        log.warning(
            "%s is the best by %s (%s), %s by %s (%s); to take that one: checkpoints.select_by=%s",
            *(chosen.path.name, select_by, chosen.told, rival.path.name, other, rival.told, other),
        )
    return chosen


def slim(checkpoint: Checkpoint) -> None:
    """Drop what only a resume needs; the model and what was measured stay."""
    for pattern in TRAINER_STATE:
        for path in checkpoint.path.glob(pattern):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
