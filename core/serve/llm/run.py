"""Serve a model until told to stop, and tell when its engine ends before that."""

import contextlib
import logging
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from core.llm import engine, launch
from core.llm.service import Server, started
from core.serve.llm.recipe import Recipe

log = logging.getLogger(__name__)

SECONDS_BETWEEN_LOOKS = 0.2


def told(server: Server) -> None:
    """Say where the server is."""
    log.info("%s answers at %s", ", ".join(server.models), server.base_url)


def run(recipe: Recipe, ready: Callable[[Server], None] = told) -> None:
    """Serve until SIGTERM or Ctrl-C, then end the engine and return; a second one ends it without waiting.

    `ready` is called once, when the model answers. What the engine prints is also our own log's, at level DEBUG.

    Raises:
        Missing, UsageError, ProcessFailed: as `core.llm.service.started`; the last one whenever the engine ends.
    """
    tail = _Tail(recipe.log_path)
    try:
        with started(recipe, recipe.log_path, tail.forward) as server:
            with _stop_asked() as asked:
                ready(server)
                while not asked():
                    server.running.check()
                    tail.forward()
                    time.sleep(SECONDS_BETWEEN_LOOKS)
            log.info("stopping")
    finally:
        tail.forward()


def plan(recipe: Recipe) -> str:
    """The command that `run` would start, as one would type it.

    Raises:
        Missing, UsageError: what would keep it from being started.
    """
    found = engine.installed(recipe)
    fast = engine.fast_bfloat16()
    return launch.as_text(launch.command(recipe, found, recipe.port, fast_bfloat16=fast))


@contextlib.contextmanager
def _stop_asked() -> Iterator[Callable[[], bool]]:
    """Whether a signal has asked us to stop; after the block, signals do again what they did before."""
    asked: list[int] = []

    def note(number: int, _frame: Any) -> None:
        asked.append(number)

    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: bool(asked)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class _Tail:
    """Hands on what is added to a file from now on."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read = path.stat().st_size if path.is_file() else 0
        self._rest = b""

    def forward(self) -> None:
        if not (log.isEnabledFor(logging.DEBUG) and self._path.is_file()):
            return
        with self._path.open("rb") as file:
            file.seek(self._read)
            new = file.read()
        self._read += len(new)
        *lines, self._rest = (self._rest + new).split(b"\n")
        for line in lines:
            log.debug("%s", line.decode("utf-8", "replace"))
