"""A run and what it measures, from its start to its end, over any number of resumes."""

import contextlib
import json
import secrets
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from core import memory
from core.artifact import write_json
from core.errors import DataError
from core.tracking import spec, swanlab, tensorboard, wandb
from core.tracking.backend import Backend, Run
from core.tracking.record import Record, encoded

METRICS = "metrics.jsonl"
PLOTS = "plots"
RUN = "run.json"
SUMMARY = "summary.json"

REDRAW_SECONDS = 300
"""How old the pictures may grow while values come in; they are drawn at the end in any case."""


class Tracker:
    """Takes what a training measures; see `open_tracker`."""

    def __init__(self, folder: Path, record: Record, backends: Sequence[Backend]) -> None:
        self._folder, self._record, self._backends = folder, record, backends
        self._drawn = time.monotonic()

    def log(self, values: Mapping[str, float], step: int) -> None:
        """Note `values` at `step`.

        The local row is on the disk's queue first, so a service that fails loses nothing. Values that are not
        finite are kept as such. Rows of an earlier session at `step` or later no longer count.
        """
        numbers = {name: float(value) for name, value in values.items()}
        self._record.append(numbers, step)
        for backend in self._backends:
            backend.log(numbers, step)
        if time.monotonic() - self._drawn > REDRAW_SECONDS:
            self.draw()

    def summary(self, values: Mapping[str, float]) -> None:
        """Note values of the whole run (the best score, seconds taken); later ones replace those of the same name."""
        path = self._folder / SUMMARY
        known = _read_object(path) if path.exists() else {}
        numbers = {name: float(value) for name, value in values.items()}
        write_json(path, {**known, **encoded(numbers)})
        for backend in self._backends:
            backend.summary(numbers)

    def draw(self) -> None:
        """Draw `plots/` from all that holds until now."""
        from core.tracking import plots  # matplotlib: half a second that only a training pays

        plots.draw(self._folder / METRICS, self._folder / PLOTS)
        self._drawn = time.monotonic()


@contextlib.contextmanager
def open_tracker(tracking: spec.Tracking, folder: Path, recipe: Mapping[str, Any]) -> Iterator[Tracker]:
    """Follow a run in `folder`, and go on where an earlier session of it stopped.

    `metrics.jsonl`, `summary.json`, `run.json` and `plots/` are made whatever the trackers; these write below
    `folder` too. `recipe` is shown on boards: secrets are no fields of recipes, so none gets there.

    Raises:
        Missing: a tracker's package or service is not there. Nothing was trained yet.
        DataError: files of the earlier session are damaged.
    """
    folder.mkdir(parents=True, exist_ok=True)
    run = _run(tracking, folder, recipe)
    with contextlib.ExitStack() as stack:
        record = Record(folder / METRICS)
        stack.callback(record.close)
        backends = [stack.enter_context(follow) for follow in _followers(tracking, run)]
        tracker = Tracker(folder, record, backends)
        stack.push(lambda _kind, error, _trace: _draw_at_end(tracker, error))
        yield tracker


def _draw_at_end(tracker: Tracker, error: BaseException | None) -> None:
    """Draw, also what a failed training has left; not where memory ran out, for that takes memory."""
    if error is None or memory.what_ran_out(error) is None:
        tracker.draw()


def _followers(tracking: spec.Tracking, run: Run) -> Iterator[contextlib.AbstractContextManager[Backend]]:
    for backend in tracking.backends:
        match backend:
            case spec.SwanLab(mode="disabled") | spec.Wandb(mode="disabled"):
                continue
            case spec.SwanLab():
                yield swanlab.follow(backend, run)
            case spec.Wandb():
                yield wandb.follow(backend, run)
            case spec.TensorBoard():
                yield tensorboard.follow(run)


def _run(tracking: spec.Tracking, folder: Path, recipe: Mapping[str, Any]) -> Run:
    path = folder / RUN
    resumed = path.exists()
    if not resumed:
        write_json(path, {"id": secrets.token_hex(8), "made": datetime.now(UTC).isoformat(timespec="seconds")})
    number = str(_read_object(path).get("id") or "")
    if not number:
        raise DataError("the run has no id", where=str(path), hint="move the file away to start a new run")
    return Run(number, tracking.name or number, tracking.project, recipe, folder, resumed)


def _read_object(path: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, TypeError):
        raise DataError("not a JSON object", where=str(path), hint="move the file away") from None
