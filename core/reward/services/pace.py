"""When to ask, and when to ask again."""

import math
import random
import threading
import time
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

FIRST_SECONDS = 0.5
LONGEST_SECONDS = 30.0


def pause(failures: int, asked: str | None) -> float:
    """Seconds before the next try after `failures` >= 1: what `Retry-After` asked for, else a growing random time.

    The jitter is full (Brooker 2015, "Exponential backoff and jitter"); what was asked for is stretched by up to a
    tenth, so that not all come back at once.
    """
    wished = _seconds(asked)
    if wished is not None:
        return wished * random.uniform(1, 1.1)  # noqa: S311 - no secret
    return random.uniform(0, min(LONGEST_SECONDS, FIRST_SECONDS * 2 ** (failures - 1)))  # noqa: S311


def _seconds(header: str | None) -> float | None:
    """What a `Retry-After` header asks for, as a number or as a date; None: nothing usable."""
    if header is None:
        return None
    try:
        seconds = float(header)
    except ValueError:
        pass
    else:
        return max(0.0, seconds) if math.isfinite(seconds) else None
    try:
        when = parsedate_to_datetime(header)
    except ValueError:
        return None
    when = when if when.tzinfo else when.replace(tzinfo=UTC)
    return max(0.0, (when - datetime.now(UTC)).total_seconds())


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
