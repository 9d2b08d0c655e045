"""The model that a training begins with, as a folder that transformers and verl load."""

import shutil
from collections.abc import Callable, Iterable
from pathlib import Path

from core.artifact.files import fsync
from core.llm.checkpoint import resolve
from core.retrieval import tensors
from core.tuning.models import new
from core.tuning.spec import Model, Pretrained

START = "start"
"""Folder in an unfinished artifact of a model that is made new; `Store` does not know it, `drop` removes it."""


def begin(spec: Model, texts: Callable[[], Iterable[str]], folder: Path, seed: int) -> str:
    """Where the model lies: a new one is made in `folder` once, from `texts` (contents of the training rows)."""
    if isinstance(spec, Pretrained):
        return resolve(spec.path)
    place = folder / START
    if not place.is_dir():
        made = folder / f"{START}.tmp"
        shutil.rmtree(made, ignore_errors=True)  # a killed run's
        new.write(spec, texts(), made, seed)
        for path in (*made.iterdir(), made):
            fsync(path)
        made.rename(place)
    return str(place)


def drop(folder: Path) -> None:
    """Remove a new model when its training is over."""
    shutil.rmtree(folder / START, ignore_errors=True)


def fingerprint(model: str) -> str:
    """Tells models apart, from samples of their weights; of a name on the hub the name."""
    return tensors.sampled_digest(Path(model)) if Path(model).is_dir() else model
