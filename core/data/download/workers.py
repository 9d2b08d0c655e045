"""Several things at a time, in threads that do not hold up the end of the program."""

import queue
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TypeVar

from core.errors import DataError, DrError

T = TypeVar("T")

LOOK_SECONDS = 1.0
"""How often `look` is called while nothing ends."""


def each(do: Callable[[T], None], items: Sequence[T], *, parallel: int, look: Callable[[], None]) -> list[DataError]:
    """Do every item, `parallel` at a time; the errors of those whose data is bad. `look` is called now and then.

    The threads are daemons: after Ctrl-C nobody waits for the rest of a 5 GB file.

    Raises:
        DrError: anything but bad data ends it at once.
        OSError: likewise; a full disk, say.
    """
    owed: queue.SimpleQueue[T] = queue.SimpleQueue()
    done: queue.SimpleQueue[DrError | OSError | None] = queue.SimpleQueue()
    for item in items:
        owed.put(item)
    threads = [threading.Thread(target=_work, args=(do, owed, done), daemon=True) for _ in items[:parallel]]
    for thread in threads:
        thread.start()
    failed: list[DataError] = []
    for _ in items:
        outcome = _next(done, threads, look)
        if isinstance(outcome, DataError):
            failed.append(outcome)
        elif outcome is not None:
            _drain(owed)
            raise outcome
    look()
    return failed


def _work(
    do: Callable[[T], None], owed: "queue.SimpleQueue[T]", done: "queue.SimpleQueue[DrError | OSError | None]"
) -> None:
    with suppress(queue.Empty):
        while True:
            item = owed.get_nowait()
            try:
                do(item)
            except (DrError, OSError) as error:
                done.put(error)
            else:
                done.put(None)


def _next(
    done: "queue.SimpleQueue[DrError | OSError | None]", threads: Sequence[threading.Thread], look: Callable[[], None]
) -> DrError | OSError | None:
    while True:
        look()
        alive = any(thread.is_alive() for thread in threads)
        try:
            return done.get(timeout=LOOK_SECONDS)
        except queue.Empty:
            if not alive:
                raise RuntimeError("a thread ended by a bug: its traceback stands above") from None


def _drain(owed: "queue.SimpleQueue[T]") -> None:
    with suppress(queue.Empty):
        while True:
            owed.get_nowait()
