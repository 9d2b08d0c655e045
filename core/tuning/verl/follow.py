"""What verl writes while it runs, read as it comes: logged by our names, watched, and its checkpoints kept in order."""

import json
import logging
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from core.progress import Bar
from core.tracking import Tracker
from core.tracking.record import Series
from core.tuning.verl.saved import Saved
from core.tuning.watch.tripped import Tripped, Watch

log = logging.getLogger(__name__)

Values = Mapping[str, float]
Source = Callable[[bool], Iterable[tuple[int, Values]]]
"""Steps that are new since the last call, with their values by our names; told whether verl has ended."""


@dataclass(frozen=True)
class Plan:
    """The steps of a training."""

    steps: int
    epoch: int
    """Steps of an epoch."""
    log_every: int


class Stopped(Exception):
    """A watch has ended the training."""


class Follow:
    """Follows one session, from the step after `done`."""

    def __init__(
        self, plan: Plan, source: Source, saved: Saved, tracker: Tracker, watch: Watch, bar: Bar, *, done: int
    ) -> None:
        self._plan, self._source, self._saved, self._tracker = plan, source, saved, tracker
        self._watch, self._bar = watch, bar
        self.step = done
        """The last step that was seen."""
        self.measured: dict[int, float] = {}
        """Step -> what checkpoints are chosen by."""
        self.tripped: list[Tripped] = []
        """What was wrong with the training in this session."""
        self._held: list[Values] = []

    def look(self, *, over: bool = False) -> None:
        """Take what is new; `over`: verl has ended, nothing more comes.

        Raises:
            Stopped: a watch says so.
        """
        for step, values in self._source(over):
            self._take(step, values)
        self._saved.tidy(self.measured)

    def catch_up(self, source: Source, logged: Series) -> None:
        """Take what an earlier session left of the steps that are done, beyond what is `logged`.

        Raises:
            Stopped: a watch says so.
        """
        last = max((step for values in logged.values() for step in values), default=-1)
        at_last = {name: values[last] for name, values in logged.items() if last in values}
        for step, values in source(True):
            known = at_last if step == last else {}
            new = {name: value for name, value in values.items() if name not in known}
            if new and last <= step <= self.step:
                self._take(step, new, known)

    def end(self) -> None:
        """Look back at the whole."""
        self._told(self._watch.end(self.step))

    def _take(self, step: int, values: Values, known: Values = MappingProxyType({})) -> None:
        """`known`: what is logged of the step already, which a later session's row would hide."""
        self._held.append(values)
        if step > self.step:
            self._bar.advance(step - self.step)
            self.step = step
        is_measured = any(name.startswith("eval/") for name in values)
        if not (is_measured or step in {1, self._plan.steps} or step % self._plan.log_every == 0):
            return
        logged = means(self._held)
        self._held = []
        self._tracker.log({**known, **logged}, step)
        if self._saved.goal.by in values:
            self.measured[step] = values[self._saved.goal.by]
        if self._told(self._watch.see(step, logged)):
            raise Stopped

    def _told(self, words: Iterable[Tripped]) -> bool:
        """Whether one of them ends the training."""
        words = list(words)
        for word in words:
            log.warning("%s", word)
        self.tripped += words
        return any(word.action == "stop" for word in words)


class Lines:
    """A file of JSON lines that grows; a line that is being written counts when it is whole."""

    def __init__(self, path: Path) -> None:
        self._path, self._at = path, 0

    def new(self) -> Iterator[dict[str, Any]]:
        """The lines since the last call; none where there is no file."""
        if not self._path.exists():
            return
        with self._path.open("rb") as file:
            file.seek(self._at)
            for line in file:
                if not line.endswith(b"\n"):
                    return
                self._at += len(line)
                yield json.loads(line)


def renamed(data: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, float]:
    """The values of verl's row that have a name of ours; null is NaN, for which verl's writer has no other word."""
    return {names[name]: math.nan if value is None else float(value) for name, value in data.items() if name in names}


def means(rows: Iterable[Values]) -> dict[str, float]:
    """Each value's mean over the rows that have it."""
    found: dict[str, list[float]] = {}
    for row in rows:
        for name, value in row.items():
            found.setdefault(name, []).append(value)
    return {name: math.fsum(values) / len(values) if all(map(math.isfinite, values)) else _odd(values)
            for name, values in found.items()}  # fmt: skip


def _odd(values: Iterable[float]) -> float:
    return next(value for value in values if not math.isfinite(value))
