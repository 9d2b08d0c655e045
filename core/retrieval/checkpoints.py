"""Which model is meant by a training: its result, or while it goes on, the best of its checkpoints so far.

A checkpoint is a folder `checkpoints/checkpoint-<step>/`: a complete model, and `measured.json` with what it scored,
without which it is not whole.
"""

import json
import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.artifact.files import CLAIM, MANIFEST, beside, read_json
from core.errors import ArtifactError

MODEL, CHECKPOINTS, MEASURED, PREFIX = "model", "checkpoints", "measured.json", "checkpoint-"

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Checkpoint:
    """A whole checkpoint."""

    step: int
    path: Path
    measured: dict[str, float]
    """`val_loss` and, where there is something to ask, `ndcg@10`, on what is held out."""

    @property
    def told(self) -> str:
        """Its scores, for a message."""
        return ", ".join(f"{name} {value:.4f}" for name, value in self.measured.items())


def model_of(name: str) -> str:
    """What `name` stands for: an artifact's model, an unfinished training's best checkpoint, or `name` itself.

    Raises:
        ArtifactError: it is an unfinished training without a checkpoint.
    """
    path = Path(name)
    for folder in (path, beside(path, "partial")):
        if (folder / MANIFEST).exists():
            return str(folder / MODEL)
        if (folder / CLAIM).exists():
            chosen = best_checkpoint(folder)
            log.warning("%s is not finished: its best checkpoint so far is %s (%s)", name, chosen.path, chosen.told)
            return str(chosen.path)
    return name


def best_checkpoint(folder: Path) -> Checkpoint:
    """The checkpoint of the training in `folder` that is best by its recipe's `checkpoints.select_by`.

    Raises:
        ArtifactError: there is none.
    """
    if not (checkpoints := found(folder / CHECKPOINTS)):
        hint = "let it reach its first checkpoint (`checkpoints.save_every`), or name another model"
        raise ArtifactError("this training has no checkpoint yet", where=str(folder), hint=hint)
    facts = read_json(folder / (MANIFEST if (folder / MANIFEST).exists() else CLAIM))
    return best(checkpoints, str(facts["identity"].get("checkpoints.select_by", "val_loss")))


def found(folder: Path) -> list[Checkpoint]:
    """The whole checkpoints in `folder`, by step.

    Raises:
        ArtifactError: what was measured of one cannot be read.
    """
    paths = [path for path in folder.glob(f"{PREFIX}*") if (path / MEASURED).is_file()]
    return sorted((_read(path) for path in paths), key=lambda checkpoint: checkpoint.step)


def best(checkpoints: Sequence[Checkpoint], select_by: str) -> Checkpoint:
    """The one with the lowest `val_loss` or the highest of another measure; of equal ones the first."""
    return min(checkpoints, key=lambda checkpoint: (cost(checkpoint.measured, select_by), checkpoint.step))


def cost(measured: dict[str, float], select_by: str) -> float:
    """A number that is lower the better; infinite where nothing, or no number, was measured."""
    value = measured.get(select_by, math.nan)
    return math.inf if math.isnan(value) else value if select_by == "val_loss" else -value


def _read(path: Path) -> Checkpoint:
    place = path / MEASURED
    try:
        values: dict[str, Any] = json.loads(place.read_text(encoding="utf-8"))
        return Checkpoint(int(values.pop("step")), path, {name: float(value) for name, value in values.items()})
    except (ValueError, TypeError, KeyError, AttributeError):
        raise ArtifactError("this does not say what was measured of a checkpoint", where=str(place)) from None
