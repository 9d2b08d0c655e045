"""What was answered before: in memory up to a bound, and in a file from one run to the next."""

import json
import logging
import sqlite3
import threading
from collections import OrderedDict
from collections.abc import Hashable
from pathlib import Path
from typing import Any, Generic, TypeVar

from core.errors import DataError

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

log = logging.getLogger(__name__)

_WAIT_SECONDS = 30
"""How long another program may hold the file."""


class Memory(Generic[K, V]):
    """Keeps the latest; threads share it."""

    def __init__(self, bound: int) -> None:
        """`bound`: weight of all that is kept, at most."""
        self._bound, self._weight, self._lock = bound, 0, threading.Lock()
        self._known: OrderedDict[K, tuple[V, int]] = OrderedDict()

    def get(self, key: K) -> V | None:
        """What was put in under `key`; None: nothing, or it has been dropped."""
        with self._lock:
            if key not in self._known:
                return None
            self._known.move_to_end(key)
            return self._known[key][0]

    def put(self, key: K, value: V, weight: int) -> None:
        """Keep `value`, and drop what was not asked for longest where there is no room."""
        with self._lock:
            if key not in self._known:
                self._known[key] = value, weight
                self._weight += weight
            while self._weight > self._bound and self._known:
                _, (_, dropped) = self._known.popitem(last=False)
                self._weight -= dropped


class Shelf:
    """A file of values in JSON by key; several programs may use it at the same time."""

    def __init__(self, path: Path) -> None:
        """Opens the file, or makes it.

        Raises:
            DataError: it is another kind of file, or cannot be written.
        """
        self._path, self._lock = path, threading.Lock()
        self._broken = False
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = sqlite3.connect(path, _WAIT_SECONDS, isolation_level=None, check_same_thread=False)
            # Neither waits for the disk at every answer; a crash costs the latest ones at most.
            self._file.execute("PRAGMA journal_mode = WAL")
            self._file.execute("PRAGMA synchronous = NORMAL")
            self._file.execute("CREATE TABLE IF NOT EXISTS answers (key TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID")
        except (OSError, sqlite3.Error) as error:
            hint = "name another file, which is made"
            raise DataError(f"`cache` cannot be used: {error}", where=str(path), hint=hint) from None

    def get(self, key: str) -> Any:
        """The value; None: there is none.

        Raises:
            DataError: the file cannot be read any more.
        """
        with self._lock:
            try:
                row = self._file.execute("SELECT value FROM answers WHERE key = ?", (key,)).fetchone()
            except sqlite3.Error as error:
                raise DataError(f"`cache` cannot be read: {error}", where=str(self._path)) from None
        return json.loads(row[0]) if row else None

    def put(self, key: str, value: Any) -> None:
        """Keep the value. A full disk costs the file, not the answers: said once."""
        with self._lock:
            if self._broken:
                return
            try:
                self._file.execute("INSERT OR REPLACE INTO answers VALUES (?, ?)", (key, json.dumps(value)))
            except sqlite3.Error as error:
                self._broken = True
                log.error("the cache of answers ends here: %s (%s)", error, self._path)  # noqa: TRY400

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._file.close()
