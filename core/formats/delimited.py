"""Tables of text: cells parted by a comma or another character, the names of the columns in the first row (RFC 4180).

UTF-8, with or without a byte-order mark. Cells may hold line ends when they are quoted.
"""

import csv
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from core.errors import DataError
from core.formats.rows import MAX_LINE_BYTES, BadRow, OnBad, Row, every_line, fail, text_of


def rows(path: Path, on_bad: OnBad = fail, delimiter: str | None = None) -> Iterator[Row]:
    """The rows below the head, each cell as text; without a delimiter, names that hold .tsv mean tabs, others commas.

    A row's place is the line where it begins.

    Raises:
        UsageError: there is no such file.
        DataError: it is empty, its head names a column twice, or a quote is never closed.
    """
    source = _Lines(path)
    head: list[str] = []
    for where, cells in _rows(path, source, delimiter or usual(path)):
        bad, source.bad = source.bad, None
        if not head:
            head = _head(cells, where, bad)
        elif bad:
            on_bad(bad)
        elif len(cells) != len(head):
            what = f"{len(cells)} cells, the head has {len(head)}"
            hint = "a cell that holds the delimiter or a quote stands in quotes"
            on_bad(BadRow("wrong columns", what, where=where, row=cells, hint=hint))
        else:
            yield Row(where, dict(zip(head, cells, strict=True)))
    if not head:
        raise DataError("the file is empty: it has no row", where=str(path), hint="is it the right file?")


def write(path: Path, head: Sequence[str], cells: Iterable[Sequence[str]], delimiter: str) -> int:
    """Write a head and the rows below it; gives their number without the head."""
    count = 0
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, delimiter=delimiter)  # its line ends are those of RFC 4180
        writer.writerow(head)
        for row in cells:
            writer.writerow(row)
            count += 1
    return count


class _Lines:
    """The lines of a file as text; remembers one that is not UTF-8."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.bad: BadRow | None = None

    def __iter__(self) -> Iterator[str]:
        for where, line in every_line(self._path):
            try:
                yield text_of(line, where)
            except BadRow as bad:
                # The row goes on to its end, which this line may open or close with a quote; then it is refused.
                self.bad = bad
                yield line.decode(errors="replace")


def _rows(path: Path, source: _Lines, delimiter: str) -> Iterator[tuple[str, list[str]]]:
    """Place and cells of each row that is not blank."""
    csv.field_size_limit(MAX_LINE_BYTES)  # the library refuses cells of more than 128 KiB by itself
    reader = csv.reader(iter(source), delimiter=delimiter, strict=True)
    while True:
        where = f"{path}:{reader.line_num + 1}"
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            hint = "a quote that is opened is closed, and a quote inside a quoted cell is doubled"
            raise DataError(f"the table cannot be read: {error}", where=where, hint=hint) from None
        if cells:
            yield where, cells


def _head(cells: list[str], where: str, bad: BadRow | None) -> list[str]:
    if bad:
        raise bad
    names = [cell.strip() for cell in cells]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        told = ", ".join(f"`{name}`" for name in twice)
        raise DataError(f"the head names {told} twice", where=where, hint="give each column a name of its own")
    return names


def usual(path: Path) -> str:
    """The delimiter of a file of this name: a tab where the name holds .tsv, else a comma."""
    return "\t" if ".tsv" in path.suffixes else ","
