"""A stage's work in a process of its own: what it is given, what it says when it fails, how far it is.

The process is `python -m MODULE FOLDER`, and its module calls `main`. FOLDER/worker/ holds what it was given and
what it left; it is gone when all went well.
"""

import contextlib
import json
import logging
import shutil
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from core import process
from core.artifact import write_json
from core.errors import DrError, ProcessFailed
from core.process import Command
from core.progress import Bar
from core.tracking.record import read

FOLDER = "worker"
GIVEN, ERROR = "given.json", "error.json"

SECONDS_BETWEEN_LOOKS = 2.0
"""How often the metrics of the process are read while it works."""


def run(
    command: Command, folder: Path, given: Mapping[str, Any], log: Path, beat: Callable[[], None] = process.nothing
) -> None:
    """Run `command`, whose last argument is `folder`, to its end. `beat` is called meanwhile; what it raises ends it.

    Raises:
        DrError: what any process of it raised, with its sentence and exit code.
        ProcessFailed: it ended without a word; names the log.
    """
    place = folder / FOLDER
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    write_json(place / GIVEN, dict(given))
    log.parent.mkdir(exist_ok=True)
    try:
        process.run(command, log, beat)
    except ProcessFailed:
        if (place / ERROR).exists():
            raise told(json.loads((place / ERROR).read_text(encoding="utf-8"))) from None
        what = f"a process of the training ended without a word of its own; the log ends with: {_last(log)}"
        raise ProcessFailed(what, where=str(log)) from None
    shutil.rmtree(place)


def main(work: Callable[[dict[str, Any], Path], None], folder: Path) -> int:
    """Do `work(given, folder)`; what went wrong stands in `error.json`, of the process that said so first."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")  # stderr, which is the log
    try:
        work(json.loads((folder / FOLDER / GIVEN).read_text(encoding="utf-8")), folder)
    except DrError as error:
        sys.stderr.write(f"{error.render()}\n")
        with contextlib.suppress(FileExistsError), (folder / FOLDER / ERROR).open("x", encoding="utf-8") as file:
            json.dump(written(error), file)
        return error.exit_code
    return 0


def _last(log: Path) -> str:
    lines = [line.strip() for line in log.read_text(encoding="utf-8", errors="replace").splitlines()]
    return next((line for line in reversed(lines) if line), "nothing")[-300:]


def written(error: DrError) -> dict[str, Any]:
    """An error as a process leaves it for the one that started it."""
    return {"what": error.what, "where": error.where, "hint": error.hint, "exit_code": error.exit_code}


def told(left: Mapping[str, Any]) -> DrError:
    """The error that `written` wrote: the same sentence and exit code."""
    error = DrError(left["what"], where=left["where"], hint=left["hint"])
    error.exit_code = left["exit_code"]
    return error


@contextlib.contextmanager
def followed(metrics: Path, bar: Bar, note: Callable[[Mapping[str, float]], str] = lambda _: "") -> Iterator[None]:
    """Advance `bar` to the last step in `metrics` while the block runs; `note` is what it says of the newest row."""
    over = threading.Event()
    follower = threading.Thread(target=_follow, args=(metrics, bar, note, over))
    follower.start()
    try:
        yield
    finally:
        over.set()
        follower.join()


def _follow(metrics: Path, bar: Bar, note: Callable[[Mapping[str, float]], str], over: threading.Event) -> None:
    done = 0
    while not over.wait(SECONDS_BETWEEN_LOOKS):
        rows = read(metrics)
        step = max((row.step for row in rows), default=0)
        if step > done:
            bar.advance(step - done)
            done = step
        if rows and (words := note(rows[-1].values)):
            bar.note(words)
