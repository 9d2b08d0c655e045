"""Weights & Biases."""

import contextlib
import logging
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from core.lazy import require
from core.tracking import spec
from core.tracking.backend import Backend, Run, refused

STEP = "step"
"""Metric that is every chart's x axis: wandb's own counter refuses steps that a resumed run does again."""


class _Wandb:
    def __init__(self, run: Any) -> None:
        self._run = run

    def log(self, values: Mapping[str, float], step: int) -> None:
        self._run.log({**values, STEP: step})

    def summary(self, values: Mapping[str, float]) -> None:
        self._run.summary.update(dict(values))


@contextlib.contextmanager
def follow(backend: spec.Wandb, run: Run) -> Iterator[Backend]:
    """Raises Missing: no package, or no service for `mode: online`."""
    wandb = require("wandb", extra="trackers")
    with _home(run.folder / "wandb"):
        try:
            session = wandb.init(
                mode=backend.mode,
                dir=str(run.folder),
                project=run.project,
                entity=backend.entity,
                name=run.name,
                id=run.id,
                resume="allow",
                config=dict(run.recipe),
                settings=_settings(wandb),
            )
        except wandb.errors.Error as error:
            raise refused("wandb", error, "WANDB_API_KEY") from None
    session.define_metric(STEP)
    session.define_metric("*", step_metric=STEP)
    if backend.mode == "online":
        logging.getLogger(__name__).info("wandb: %s", session.url)
    status = 1
    try:
        yield _Wandb(session)
        status = 0
    finally:
        session.finish(exit_code=status)
        # Its helper process would go on writing its log into an artifact that is finished.
        wandb.teardown(exit_code=status)


def _settings(wandb: Any) -> Any:
    """No copy of the terminal, the code, the command line, the host or the packages: the manifest has those."""
    return wandb.Settings(
        console="off",
        silent=True,
        save_code=False,
        disable_git=True,
        x_disable_meta=True,
        x_save_requirements=False,
    )


@contextlib.contextmanager
def _home(folder: Path) -> Iterator[None]:
    """wandb's helper takes these places from its environment when it starts; else they are in the user's home."""
    names = {"WANDB_CACHE_DIR": folder / "cache", "WANDB_DATA_DIR": folder / "data"}
    before = {name: os.environ.get(name) for name in names}
    os.environ.update({name: str(path) for name, path in names.items()})
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
