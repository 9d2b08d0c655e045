"""One JSON line for each request. Never a token; the text of queries only when asked for."""

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import orjson

from core.errors import UsageError
from core.serve.searching import How

log = logging.getLogger(__name__)

FILE = "requests.jsonl"


@dataclass
class Entry:
    """What is known of a request; None is what it did not come to."""

    route: str
    queries: Sequence[str] | None = None
    how: How | None = None
    queued_seconds: float | None = None
    at: datetime = field(default_factory=lambda: datetime.now(UTC))
    since: float = field(default_factory=time.monotonic)

    def line(self, status: int, *, with_queries: bool) -> bytes:
        """The entry as JSON with its line end."""
        method, k, alpha = self.how or (None, None, None)
        row = {
            "time": self.at.isoformat(timespec="milliseconds"),
            "route": self.route,
            "status": status,
            "num_queries": None if self.queries is None else len(self.queries),
            "k": k,
            "method": method,
            "alpha": alpha,
            "queued_milliseconds": None if self.queued_seconds is None else round(self.queued_seconds * 1000, 3),
            "total_milliseconds": round((time.monotonic() - self.since) * 1000, 3),
        }
        return orjson.dumps({**row, "queries": self.queries} if with_queries else row) + b"\n"


class Journal:
    """An open log of requests, or none."""

    def __init__(self, path: Path | None, *, with_queries: bool) -> None:
        """Opens the file at `path` to add to it; `requests.jsonl` in it when a folder, or a new name without suffix.

        Raises:
            UsageError: it cannot be written.
        """
        self._with_queries, self._file = with_queries, None
        if path is None:
            return
        is_folder = path.is_dir() or not (path.suffix or path.exists())
        file = path / FILE if is_folder else path
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            self._file = file.open("ab", buffering=0)
        except OSError as error:
            raise UsageError(
                f"`log_path` cannot be written: {error.strerror}", where=str(file), hint="choose another, or null"
            ) from None

    def write(self, entry: Entry, status: int) -> None:
        """Add a line. A disk that is full costs the log, not the answers: said once, and then it is closed."""
        if self._file is None:
            return
        try:
            self._file.write(entry.line(status, with_queries=self._with_queries))
        except OSError as error:
            log.error("the log of requests ends here: %s (%s)", error.strerror, self._file.name)  # noqa: TRY400
            self.close()

    def close(self) -> None:
        """End the log."""
        if self._file is not None:
            self._file.close()
        self._file = None
