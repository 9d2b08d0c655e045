"""One session of verl from its start to its end, and what it says when it fails."""

import json
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core import memory, process, progress
from core.artifact.files import LOGS
from core.errors import DrError, Missing, ProcessFailed
from core.memory import Knob
from core.process import Command
from core.tracking import Tracking, open_tracker
from core.tracking.record import Series, read, series
from core.tracking.tracker import METRICS
from core.tuning.verl.follow import Follow, Plan, Source, Stopped
from core.tuning.verl.saved import Saved
from core.tuning.verl.session import Session
from core.tuning.watch.tripped import Watch, seen

LOG = "trainer.log"
"""What verl says, in logs/."""
SECONDS_BETWEEN_LOOKS = 1.0
LAST_BYTES = 200_000
"""Of the log that are searched for the reason of a failure."""

_REASONS = (
    ("Could not find any running Ray instance", "there is no Ray cluster at `trainer.ray_address`",
     "`ray start --head` on one machine, `ray start --address=…` on the others; or trainer.ray_address=null"),
    ("No space left on device", "the disk is full", "checkpoints.keep=1 keeps fewer of them"),
    ("Total available GPUs", "the Ray cluster has fewer GPUs than the recipe says", "trainer.gpus and trainer.nodes"),
    ("address already in use", "a port is in use", "is another training running on this machine?"),
)  # fmt: skip
"""What stands in the log, what it means, what to do."""

# The last line of a traceback; Ray puts the process before it.
_ERROR = re.compile(r"^(?:\([^)]*\) )?((?:\w+\.)*\w+(?:Error|Exception): .+)$", re.MULTILINE)


@dataclass(frozen=True)
class Run:
    """What a training by verl is, beside its command."""

    folder: Path
    """The unfinished artifact."""
    plan: Plan
    tracking: Tracking
    shown: Mapping[str, Any]
    """The recipe, as boards show it."""
    watch: Watch
    knobs: Sequence[Knob]
    """What to make smaller when memory runs out."""
    what: str
    """For the bar."""


def run(
    what: Run, saved: Saved, command: Command, session: Session, source: Callable[[Session], Source], done: int,
    beat: Callable[[], None] = process.nothing,
) -> None:  # fmt: skip
    """Train from step `done` to the end, and say in `saved` that it is over.

    `source`: what is read of a session, of this one and of those before it that were killed.

    Raises:
        DrError: a reward or a search failed, `beat` raised, a watch stopped it before there was a checkpoint, or verl
            ended badly.
    """
    rows = [row for row in read(what.folder / LOGS / METRICS) if row.step <= done]
    earlier = seen(what.watch, rows)
    logged = series(rows)
    with _followed(what, saved, source(session), done) as follow:
        follow.measured.update(logged.get(saved.goal.by, {}))
        with suppress(Stopped):
            _catch_up(follow, session, source, logged)
            if done < what.plan.steps:  # else killed before it could say so: verl would take a step more
                _to_the_end(what, command, session, follow, beat)
        follow.end()
    if follow.tripped and not saved.steps():
        raise follow.tripped[0].error()
    saved.end({"steps": follow.step, "warnings": [str(word) for word in (*earlier, *follow.tripped)]})


def outcome(saved: Saved, folder: Path) -> dict[str, Any]:
    """Facts of a training that is over, for the manifest: steps, best checkpoint, warnings."""
    measured = series(read(folder / LOGS / METRICS)).get(saved.goal.by, {})
    step, value = saved.best(measured)
    return {**(saved.ended() or {}), "best": {"step": step, "value": value}}


@contextmanager
def _followed(what: Run, saved: Saved, source: Source, done: int) -> Iterator[Follow]:
    total = what.plan.steps - done
    with (
        open_tracker(what.tracking, what.folder / LOGS, what.shown) as tracker,
        progress.bar(what.what, total) as bar,
    ):
        yield Follow(what.plan, source, saved, tracker, what.watch, bar, done=done)


def _catch_up(follow: Follow, session: Session, source: Callable[[Session], Source], logged: Series) -> None:
    """Take what sessions before this one left: verl may go on for a while when whoever follows it is killed."""
    for each in session.earlier():
        follow.catch_up(source(each), logged)
        each.drop()


def _to_the_end(what: Run, command: Command, session: Session, follow: Follow, beat: Callable[[], None]) -> None:
    log, looked = what.folder / LOGS / LOG, 0.0

    def look() -> None:
        nonlocal looked
        beat()
        if time.monotonic() - looked < SECONDS_BETWEEN_LOOKS:
            return
        told(session.failed)
        follow.look()
        looked = time.monotonic()

    try:
        process.run(command, log, look)
    except ProcessFailed as failed:
        told(session.failed)
        follow.look(over=True)
        raise reason(failed, log, what.knobs) from None
    told(session.failed)
    follow.look(over=True)
    if follow.step < what.plan.steps:
        raise ProcessFailed(f"verl ended at step {follow.step} of {what.plan.steps}", where=str(log))


def told(failed: Path) -> None:
    """Raises what a reward or a search left in the file `failed` when there was no score; nothing where all is well."""
    if not failed.exists():
        return
    left = json.loads(failed.read_text(encoding="utf-8"))
    error = DrError(left["error"], where=left["where"], hint=left["hint"])
    error.exit_code = left["exit_code"]
    raise error


def reason(failed: ProcessFailed, log: Path, knobs: Sequence[Knob]) -> DrError:
    """Why verl ended, told from its log where that is known."""
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - LAST_BYTES))
        text = file.read().decode(errors="replace")
    if kind := memory.what_ran_out(RuntimeError(text)):
        return memory.advise(kind, text, knobs)
    for sign, what, hint in _REASONS:
        if sign.lower() in text.lower():
            return Missing(what, where=str(log), hint=hint)
    if errors := _ERROR.findall(text):
        return ProcessFailed(f"verl failed: {errors[-1]}", where=str(log))
    return failed
