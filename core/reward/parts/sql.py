"""Whether a query gives the rows of the true one, on databases that it can only read."""

import contextlib
import math
import sqlite3
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from core.errors import Missing
from core.reward import truth
from core.reward.faults import BadTruth
from core.reward.sample import Judged, Reading, Value

STEPS = 10_000
"""Instructions of SQLite's machine between two looks at the clock."""
MAX_CELL_BYTES = 1 << 24
"""Longest text or blob that a query may make."""

_READS = {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE}
# Codes of a machine or a file that fails; every other code is the query's own fault.
_OUR_FAULT = {
    sqlite3.SQLITE_BUSY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_PROTOCOL,
}  # fmt: skip

Rows = list[tuple[Any, ...]]


class QueryFailed(Exception):
    """A query that does not run, takes too long, or would change something."""


class SqlExecution:
    """The same rows, other rows, or an error. The rows of a true query are remembered."""

    facts: tuple[str, ...] = ("right", "runs")

    def __init__(self, config: Mapping[str, Any]) -> None:
        self._config, self._databases = config, Path(config["databases"])
        self._true: dict[tuple[str, Path], Rows] = {}

    def score(self, batch: Sequence[Reading]) -> list[Judged]:
        """A value for each.

        Raises:
            Missing: a database is not there, or cannot be read.
            BadTruth: a true query does not run.
        """
        return [self._value(reading) for reading in batch]

    def _value(self, reading: Reading) -> Value:
        sql, id_ = truth.sql(reading.sample)
        database, config = self._path(id_), self._config
        true = self._true_rows(sql, database, reading)
        asked = reading.answer.query
        if asked is None:
            return Value(config["error"], reading.answer.why, {"right": 0.0, "runs": 0.0})
        try:
            rows = run(asked, database, config["timeout_seconds"], config["max_rows"])
        except QueryFailed as failed:
            return Value(config["error"], str(failed), {"right": 0.0, "runs": 0.0})
        right = same_rows(rows, true, ordered=is_sorted(sql))
        why = "" if right else f"{len(rows)} rows, {len(true)} are true"
        return Value(config["match" if right else "other_rows"], why, {"right": float(right), "runs": 1.0})

    def _path(self, id_: str) -> Path:
        if self._databases.is_file():
            return self._databases
        for path in (self._databases / id_ / f"{id_}.sqlite", self._databases / f"{id_}.sqlite"):
            if id_ and path.is_file():
                return path
        hint = "`sql_execution.databases` is a folder with `<db_id>/<db_id>.sqlite`, or one file"
        raise Missing(f"there is no database `{id_}`", where=str(self._databases), hint=hint)

    def _true_rows(self, sql: str, database: Path, reading: Reading) -> Rows:
        if (sql, database) not in self._true:
            try:
                rows = run(sql, database, self._config["timeout_seconds"] * 4, self._config["max_rows"])
            except QueryFailed as failed:
                where = reading.sample.where or str(database)
                raise BadTruth(f"the true query does not run: {failed}", where=where, hint=sql[:200]) from None
            self._true[sql, database] = rows
        return self._true[sql, database]


def run(sql: str, database: Path, timeout_seconds: float, max_rows: int) -> Rows:
    """The rows of one query that only reads; at most `max_rows` and one.

    Raises:
        QueryFailed: it does not run, takes longer, or is no query that only reads.
        Missing: the database itself cannot be read.
    """
    due = time.monotonic() + timeout_seconds
    with _opened(database, due) as connection:
        try:
            # A cell that is no UTF-8 must not fail the comparison.
            connection.text_factory = lambda raw: raw.decode("utf-8", "replace")
            return connection.execute(sql).fetchmany(max_rows + 1)
        except sqlite3.Error as error:
            code = getattr(error, "sqlite_errorcode", None)
            if code is not None and code & 0xFF in _OUR_FAULT:
                raise Missing(f"the database cannot be read: {error}", where=str(database)) from None
            if time.monotonic() > due:
                raise QueryFailed(f"longer than {timeout_seconds:g} s") from None
            raise QueryFailed(f"{error}"[:120]) from None
        except (sqlite3.Warning, ValueError, MemoryError, OverflowError) as error:  # several statements, a zero byte
            raise QueryFailed(f"{error}"[:120] or type(error).__name__) from None


@contextlib.contextmanager
def _opened(database: Path, due: float) -> Iterator[sqlite3.Connection]:
    """A connection that only reads, this database only, and stops when its time is up."""
    connection = sqlite3.connect(f"{database.absolute().as_uri()}?mode=ro", uri=True)
    try:
        connection.set_authorizer(_allowed)
        connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MAX_CELL_BYTES)
        connection.set_progress_handler(lambda: int(time.monotonic() > due), STEPS)
        yield connection
    finally:
        connection.close()


def _allowed(action: int, _first: str | None, second: str | None, *_: str | None) -> int:
    # ATTACH would open, and even make, other files; `mode=ro` does not forbid it.
    reads = action in _READS and (action != sqlite3.SQLITE_FUNCTION or second not in {"load_extension", "readfile"})
    return sqlite3.SQLITE_OK if reads else sqlite3.SQLITE_DENY


def same_rows(found: Rows, true: Rows, *, ordered: bool) -> bool:
    """Whether both are the same rows, as often each; in the same order where that counts."""
    if len(found) != len(true):
        return False
    left, right = ([tuple(map(_cell, row)) for row in rows] for rows in (found, true))
    return left == right if ordered else Counter(left) == Counter(right)


def _cell(value: Any) -> Any:
    """A cell as it is compared: 2 and 2.0 are equal, sums of floats to nine digits."""
    if isinstance(value, float):
        return float(f"{value:.9g}") if math.isfinite(value) else str(value)
    return value


def is_sorted(sql: str) -> bool:
    """Whether the outermost query has ORDER BY: one in parentheses or in a text does not sort the result."""
    depth, outer, quote = 0, [], ""
    for character in sql:
        if quote:
            quote = "" if character == quote else quote
            continue
        if character in "'\"`":
            quote = character
        depth += (character == "(") - (character == ")")
        outer.append(character if depth == 0 else " ")
    return " order by " in f" {' '.join(''.join(outer).lower().split())} "
