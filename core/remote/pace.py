"""When to ask, and when to ask again."""

import threading
import time

from core.retry import asked_pause, backoff, spread


def pause(failures: int, asked: str | None) -> float:
    """Seconds before the next try after `failures` >= 1: what `Retry-After` asked for, else a growing random time."""
    wished = asked_pause(asked)
    return backoff(failures) if wished is None else spread(wished)


class Pace:
    """Lets requests go at an even rate; shared by the threads of a process."""

    def __init__(self, per_minute: int | None) -> None:
        self._gap = 60 / per_minute if per_minute else 0.0
        self._next, self._lock = 0.0, threading.Lock()

    def turn(self) -> float:
        """Take the next place, and say in how many seconds it comes."""
        if not self._gap:
            return 0.0
        with self._lock:
            now = time.monotonic()
            place = max(now, self._next)
            self._next = place + self._gap
        return place - now
