"""Rows in a file, by their place: JSON lines or Parquet."""

import contextlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from core.errors import DataError, UsageError
from core.formats.rows import BOM, objects

PARQUET_ROWS = 10_000
"""Rows of a written row group."""


class JsonLines:
    """A file of JSON objects; held is where each line begins, not the lines."""

    def __init__(self, path: Path) -> None:
        """Raises DataError for the first row that is no object."""
        self.path = path
        for _ in objects(path):
            pass
        self._starts, place = [], 0
        with path.open("rb") as file:
            for line in file:
                if line.removeprefix(BOM).strip():
                    self._starts.append(place)
                place += len(line)

    def __len__(self) -> int:
        return len(self._starts)

    def line(self, file: BinaryIO, place: int) -> bytes:
        """A row out of the opened file, without its line end."""
        file.seek(self._starts[place])
        return file.readline().removeprefix(BOM).strip()


class Parquet:
    """A Parquet file; read whole when its rows are taken."""

    def __init__(self, path: Path) -> None:
        """Raises DataError when it is none."""
        self.path = path
        try:
            found = pq.ParquetFile(path)
        except (pa.ArrowInvalid, OSError) as error:
            raise DataError(f"this is no Parquet file: {error}", where=str(path)) from None
        self.schema = found.schema_arrow.remove_metadata()
        self._num_rows = found.metadata.num_rows

    def __len__(self) -> int:
        return int(self._num_rows)

    def table(self) -> pa.Table:
        return pq.read_table(self.path).replace_schema_metadata(None)


def write_lines(target: Path, sets: Sequence[JsonLines], picks: Iterable[tuple[int, int]]) -> int:
    """Write the lines that `picks` (set, place) name, in that order; gives their number."""
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
    """A file of rows by its ending.

    Raises:
        UsageError: it is neither.
    """
    if path.suffix == ".parquet":
        return Parquet(path)
    if path.suffix == ".jsonl":
        return JsonLines(path)
    raise UsageError("rows are .jsonl or .parquet", where=str(path))
