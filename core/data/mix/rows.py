"""Rows in a file, by their place: JSON lines or Parquet."""

import contextlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from core.errors import DataError, UsageError
from core.formats.records import form_inside
from core.formats.rows import BOM, objects

PARQUET_ROWS = 10_000
"""Rows of a written row group."""


class JsonLines:
    """A file of JSON objects; held is where each line begins, not the lines."""

    def __init__(self, path: Path) -> None:
        """Raises DataError for the first row that is no object."""
        self.path = path
        self._always: set[str] | None = None
        self._ever: set[str] = set()
        for row in objects(path):
            names = row.fields.keys()
            self._always = set(names) if self._always is None else self._always & names
            self._ever |= names
        self._starts, place = [], 0
        with path.open("rb") as file:
            for line in file:
                if line.removeprefix(BOM).strip():
                    self._starts.append(place)
                place += len(line)

    def __len__(self) -> int:
        return len(self._starts)

    def lacks(self, other: "JsonLines") -> set[str]:
        """Fields that every row of `other` has, and no row here."""
        return (other._always or set()) - self._ever

    def line(self, file: BinaryIO, place: int) -> bytes:
        """A row out of the opened file, without its line end."""
        file.seek(self._starts[place])
        return file.readline().removeprefix(BOM).strip()


class Parquet:
    """A Parquet file; read whole when its rows are taken."""

    def __init__(self, path: Path) -> None:
        """Raises DataError when it is none, or has no row."""
        self.path = path
        try:
            found = pq.ParquetFile(path)
        except (pa.ArrowInvalid, OSError) as error:
            raise DataError(f"this is no Parquet file: {error}", where=str(path)) from None
        self.schema = found.schema_arrow.remove_metadata()
        self._num_rows = found.metadata.num_rows
        if not self._num_rows:
            raise DataError("the file is empty: it has no row", where=str(path), hint="is it the right file?")

    def __len__(self) -> int:
        return int(self._num_rows)

    def table(self) -> pa.Table:
        return pq.read_table(self.path).replace_schema_metadata(None)


def write_lines(target: Path, sets: Sequence[JsonLines], picks: Iterable[tuple[int, int]]) -> int:
    """Write the lines that `picks` (set, place) name, in that order; gives their number.

    Raises:
        DataError: two sets hold rows of different kinds: each has a field in all its rows that the other never has.
    """
    for other in sets[1:]:
        if (mine := other.lacks(sets[0])) and (its := sets[0].lacks(other)):
            told, there = (", ".join(f"`{name}`" for name in sorted(names)) for names in (its, mine))
            what = f"these rows have {told}, those of {sets[0].path} have {there} instead"
            raise DataError(what, where=str(other.path), hint="`dr data convert` makes both of one kind")
    count = 0
    with contextlib.ExitStack() as stack:
        sources = [stack.enter_context(one.path.open("rb")) for one in sets]
        file = stack.enter_context(target.open("wb"))
        for number, place in picks:
            file.write(sets[number].line(sources[number], place) + b"\n")
            count += 1
    return count


def write_table(target: Path, sets: Sequence[Parquet], picks: Sequence[tuple[int, int]]) -> int:
    """The same for Parquet files of one schema.

    Raises:
        DataError: their columns differ.
    """
    for other in sets[1:]:
        if other.schema != sets[0].schema:
            what = f"the columns are not those of {sets[0].path}: {_difference(sets[0].schema, other.schema)}"
            raise DataError(what, where=str(other.path), hint="make both by `dr data rows` with the same `targets`")
    offsets = [0]
    for one in sets:
        offsets.append(offsets[-1] + len(one))
    whole = pa.concat_tables([one.table() for one in sets])
    taken = whole.take(pa.array([offsets[number] + place for number, place in picks]))
    pq.write_table(taken, target, row_group_size=PARQUET_ROWS)
    return int(taken.num_rows)


def _difference(mine: pa.Schema, its: pa.Schema) -> str:
    names = [name for name in dict.fromkeys([*mine.names, *its.names]) if _type(mine, name) != _type(its, name)]
    return ", ".join(f"`{name}` is {_type(its, name)}, there {_type(mine, name)}" for name in names) or "another order"


def _type(schema: pa.Schema, name: str) -> str:
    return str(schema.field(name).type) if name in schema.names else "absent"


def opened(path: Path) -> JsonLines | Parquet:
    """A file of rows, by what it holds.

    Raises:
        UsageError: it is neither of lines nor Parquet, or packed.
    """
    if is_parquet(path):
        return Parquet(path)
    if form_inside(path) == "lines" and path.suffix != ".gz":
        return JsonLines(path)
    hint = "unpack it" if path.suffix == ".gz" else "`dr data convert` makes lines of an array"
    raise UsageError("rows are lines of JSON, unpacked, or Parquet", where=str(path), hint=hint)


def is_parquet(path: Path) -> bool:
    """Whether a file of rows is, or is named as, Parquet."""
    return path.suffix == ".parquet" or form_inside(path) == "parquet"
