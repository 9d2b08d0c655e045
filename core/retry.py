"""When to try again. Standard library only: rewards use it in another interpreter too."""

import math
import random
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

FIRST_SECONDS = 0.5
LONGEST_SECONDS = 30.0


def backoff(failures: int) -> float:
    """Seconds before the next try after `failures` >= 1: anything up to a bound that doubles.

    The jitter is full, so that clients which failed together do not come back together (Brooker 2015, "Exponential
    backoff and jitter"). No result depends on it.
    """
    return random.uniform(0, min(LONGEST_SECONDS, FIRST_SECONDS * 2 ** (failures - 1)))  # noqa: S311 - no secret


def asked_pause(header: str | None, now: datetime | None = None) -> float | None:
    """Seconds that a `Retry-After` header asks for, as a number or as a date; None: it says nothing usable."""
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
    return max(0.0, (when - (now or datetime.now(UTC))).total_seconds())


def spread(seconds: float) -> float:
    """A pause that the server asked for, and up to a tenth more, so that not all come back at once."""
    return seconds * random.uniform(1, 1.1)  # noqa: S311 - no secret
