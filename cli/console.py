"""What the terminal shows: results on stdout, the story on stderr."""

import contextlib
import json
import logging
import sys
import time
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any

from core import progress

SCHEMA_VERSION = 1
"""Of the objects that `--json` prints."""

SECONDS_BETWEEN_LINES = 10
"""How often work is reported where there is no terminal to draw a bar on."""

log = logging.getLogger(__name__)


def set_up(*, quiet: bool = False, verbose: bool = False) -> None:
    """Send our own log to stderr; show progress as bars on a terminal, as lines elsewhere, not at all when quiet."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Format())
    level = logging.WARNING if quiet else logging.DEBUG if verbose else logging.INFO
    for name in ("cli", "core"):
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [handler], False
        logger.setLevel(level)
    if not quiet:
        progress.listen(_Bars() if sys.stderr.isatty() else _Lines())


def emit(text: str) -> None:
    """Print a result."""
    print(text, flush=True)  # noqa: T201 - stdout is the result


def emit_json(**fields: Any) -> None:
    """Print a result as one JSON object."""
    emit(json.dumps({"schema_version": SCHEMA_VERSION, **fields}, ensure_ascii=False, default=str))


def table(headers: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A plain table; columns of numbers to the right. Wide characters count as two columns."""
    from rich.cells import cell_len

    texts = [list(headers), *([_cell(value) for value in row] for row in rows)]
    widths = [max(cell_len(row[column]) for row in texts) for column in range(len(headers))]
    right = [
        bool(rows) and all(isinstance(row[column], (int, float)) for row in rows) for column in range(len(headers))
    ]
    lines = []
    for row in texts:
        padding = [" " * (width - cell_len(text)) for text, width in zip(row, widths, strict=True)]
        cells = [
            gap + text if to_right else text + gap for text, gap, to_right in zip(row, padding, right, strict=True)
        ]
        lines.append("  ".join(cells).rstrip())
    lines.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join(lines)


def _cell(value: object) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case int():
            return f"{value:,}"
        case float():
            return f"{value:.4f}"
        case _:
            return str(value)


class _Format(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        prefix = "" if record.levelno < logging.WARNING else f"{record.levelname.lower()}: "
        return prefix + super().format(record)


class _Bars:
    """Bars on a terminal."""

    @contextlib.contextmanager
    def bar(self, what: str, total: int | None) -> Iterator[progress.Bar]:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[note]}"),
            TimeRemainingColumn(),
        )
        with Progress(*columns, console=Console(stderr=True), transient=True) as shown:
            task = shown.add_task(what, total=total, note="")

            class Bar:
                def advance(self, count: int = 1) -> None:
                    shown.advance(task, count)

                def note(self, text: str) -> None:
                    shown.update(task, note=text)

            yield Bar()


class _Lines:
    """A line now and then."""

    @contextlib.contextmanager
    def bar(self, what: str, total: int | None) -> Iterator[progress.Bar]:
        yield _Line(what, total)


class _Line:
    def __init__(self, what: str, total: int | None) -> None:
        self._what, self._total, self._note = what, total, ""
        self._done, self._started = 0, time.monotonic()
        self._told = self._started

    def advance(self, count: int = 1) -> None:
        self._done += count
        if time.monotonic() - self._told >= SECONDS_BETWEEN_LINES:
            self._told = time.monotonic()
            log.info("%s: %s", self._what, self.told())

    def told(self) -> str:
        """How far it is, what stands beside, and the time left."""
        of = f" of {self._total:,}" if self._total else ""
        return ", ".join(filter(None, (f"{self._done:,}{of}", self._note, self._left())))

    def note(self, text: str) -> None:
        self._note = text

    def _left(self) -> str:
        """The time left when the rest goes as fast; empty when nobody knows."""
        if not self._total or not 0 < self._done < self._total:
            return ""
        seconds = (time.monotonic() - self._started) / self._done * (self._total - self._done)
        return f"{timedelta(seconds=round(seconds))} left"
