"""What happens to rows that cannot be used: the run fails with the first five, or they are set aside and counted."""

import contextlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Literal, Protocol

import orjson

from core.errors import DataError
from core.formats.rows import BadRow, Reason

SHOWN = 5


class BadRows(Protocol):
    """Takes bad rows, as `core.formats.rows.OnBad` asks."""

    counts: Counter[Reason]
    """How many there were, by reason."""
    first: list[BadRow]
    """The first five."""

    def __call__(self, bad: BadRow) -> None:
        """Take note of one."""
        ...

    def settle(self) -> None:
        """A file is read: raise DataError if its bad rows end the run."""
        ...


@contextlib.contextmanager
def opened(mode: Literal["fail", "reject"], path: Path) -> Iterator[BadRows]:
    """The way of `mode`; rejected rows go to `path`, a file that exists only where there are some."""
    match mode:
        case "fail":
            yield _Fail()
        case "reject":
            with path.open("wb") as file:
                reject = _Reject(file)
                yield reject
            if not reject.counts:
                path.unlink()


class _Fail:
    def __init__(self) -> None:
        self.counts: Counter[Reason] = Counter()
        self.first: list[BadRow] = []

    def __call__(self, bad: BadRow) -> None:
        self.first.append(bad)
        if len(self.first) == SHOWN:
            self.settle()

    def settle(self) -> None:
        if not self.first:
            return
        first, count = self.first[0], len(self.first)
        head = f"the first {count} bad rows" if count == SHOWN else f"{count} bad row{'s' * (count > 1)}"
        told = "".join(f"\n  {bad.where}: {bad.what}" for bad in self.first)
        way_out = "correct the file, or set bad rows aside with `on_bad_row: reject`"
        raise DataError(f"{head}:{told}", where=first.where, hint=f"{first.hint}; {way_out}" if first.hint else way_out)


class _Reject:
    def __init__(self, file: BinaryIO) -> None:
        self.counts: Counter[Reason] = Counter()
        self.first: list[BadRow] = []
        self._file = file

    def __call__(self, bad: BadRow) -> None:
        self.counts[bad.reason] += 1
        self.first += [bad] if len(self.first) < SHOWN else []
        row = {"where": bad.where, "reason": bad.reason, "what": bad.what, "row": bad.excerpt}
        self._file.write(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE))

    def settle(self) -> None:
        """Bad rows end nothing here."""
