"""The rows of `metrics.jsonl`: appended, never rewritten; a resumed run supersedes what it does again.

One row: `{"session": 1, "step": 20, "time": 1732000000.0, "values": {"train/loss": 0.5, "eval/mrr": "NaN"}}`.
A session is one opening of the file. NaN and the infinities are texts, because JSON has no word for them.
"""

import json
import math
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from core.errors import DataError

Series: TypeAlias = dict[str, dict[int, float]]
"""metric -> step -> value, steps ascending."""


@dataclass(frozen=True, slots=True)
class Row:
    """What was measured at one step."""

    session: int
    step: int
    time: float
    """Seconds since 1970."""
    values: Mapping[str, float]


class Record:
    """The writing end: continues after the last whole row of an earlier session."""

    def __init__(self, path: Path) -> None:
        """Raises DataError when a whole row of `path` is not a row."""
        if path.exists():
            _drop_torn_line(path)
        self.session = max((row.session for row in _rows(path)), default=0) + 1
        self._file = path.open("ab")

    def append(self, values: Mapping[str, float], step: int) -> None:
        """One row, in the hands of the operating system when this returns."""
        row = {"session": self.session, "step": step, "time": round(time.time(), 3), "values": encoded(values)}
        self._file.write(json.dumps(row, ensure_ascii=False).encode() + b"\n")
        self._file.flush()

    def close(self) -> None:
        self._file.close()


def read(path: Path) -> list[Row]:
    """The rows that hold, in the order of writing; empty when there is no file.

    A row is superseded when a later session wrote a row of the same or an earlier step: that session resumed
    before it.

    Raises:
        DataError: a whole line is not a row.
    """
    kept: list[Row] = []
    resumed_at = math.inf
    rows = _rows(path)
    firsts: dict[int, int] = {}
    for row in rows:
        firsts[row.session] = min(row.step, firsts.get(row.session, row.step))
    for session in sorted(firsts, reverse=True):
        kept = [row for row in rows if row.session == session and row.step < resumed_at] + kept
        resumed_at = min(resumed_at, firsts[session])
    return kept


def series(rows: Iterable[Row]) -> Series:
    """Each metric's values by step; of two values at one step the later row's."""
    found: dict[str, dict[int, float]] = defaultdict(dict)
    for row in rows:
        for name, value in row.values.items():
            found[name][row.step] = value
    return {name: dict(sorted(values.items())) for name, values in sorted(found.items())}


def encoded(values: Mapping[str, float]) -> dict[str, float | str]:
    """`values` as JSON can hold them; Python's `float` reads each back."""
    return {name: value if math.isfinite(value) else _word(value) for name, value in values.items()}


def _word(number: float) -> str:
    return "NaN" if math.isnan(number) else "Infinity" if number > 0 else "-Infinity"


def _rows(path: Path) -> list[Row]:
    if not path.exists():
        return []
    lines = path.read_bytes().split(b"\n")[:-1]  # what follows the last line end is torn, or nothing
    return [_row(line, f"{path}:{number}") for number, line in enumerate(lines, start=1)]


def _row(line: bytes, where: str) -> Row:
    try:
        data: dict[str, Any] = json.loads(line)
        values = {name: float(value) for name, value in data["values"].items()}
        return Row(int(data["session"]), int(data["step"]), float(data["time"]), values)
    except (ValueError, KeyError, TypeError, AttributeError):
        raise DataError("this is not a row of metrics", where=where, hint="move the file away to start anew") from None


def _drop_torn_line(path: Path) -> None:
    with path.open("r+b") as file:
        file.truncate(file.read().rfind(b"\n") + 1)
