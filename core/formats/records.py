"""Rows of a file, whatever holds them: JSON lines, one JSON array, or Parquet. The content says which, not the name.

Writing, the name says it: `.json` is an array, `.parquet` is Parquet, everything else is lines.
"""

import contextlib
import zlib
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import IO, Any, Literal

import ijson
import orjson

from core.errors import DataError
from core.formats import arrow, delimited
from core.formats.rows import BOM, OnBad, Row, fail, not_an_object, objects, opened, unreadable
from core.lazy import require

Column = Literal["string", "double"]
Form = Literal["lines", "array", "parquet"]

BATCH_ROWS = 1000
"""Rows of a Parquet file held at a time while it is written."""

BUFFER_BYTES = 1 << 20


def records(path: Path, on_bad: OnBad = fail, needs: arrow.Needs | None = None) -> Iterator[Row]:
    """The rows of a file, one at a time, in its order; for `needs` see `core.formats.arrow`.

    Raises:
        UsageError: there is no such file.
        DataError: it is empty, or neither lines nor an array nor Parquet.
    """
    match form_inside(path):
        case "lines":
            return objects(path, on_bad)
        case "array":
            return _array(path, on_bad)
        case "parquet":
            return arrow.parquet(path, on_bad, needs)


def any_rows(path: Path, on_bad: OnBad = fail, needs: arrow.Needs | None = None) -> Iterator[Row]:
    """Like `records`, and tables of text and Arrow files too, which only their names tell: .csv, .tsv, .arrow.

    Raises:
        UsageError: there is no such file.
        DataError: it is empty or broken.
    """
    name = path.name.lower().removesuffix(".gz")
    if name.endswith((".csv", ".tsv")):
        return delimited.rows(path, on_bad)
    return arrow.arrow(path, on_bad, needs) if name.endswith(".arrow") else records(path, on_bad, needs)


def form_inside(path: Path) -> Form:
    """What holds the rows of a file, by its first bytes."""
    try:
        with opened(path) as file:
            start = file.read(64)
            while (start := start.removeprefix(BOM).lstrip()) == b"" and (more := file.read(4096)):
                start = more
    except (OSError, EOFError, zlib.error) as error:
        raise unreadable(path, error) from None
    if start.startswith(b"PAR1"):
        return "parquet"
    return "array" if start.startswith(b"[") else "lines"


def form_named(path: Path) -> Form:
    """What shall hold the rows of a file, by its name."""
    forms: dict[str, Form] = {".json": "array", ".parquet": "parquet"}
    return forms.get(path.suffix.lower(), "lines")


def write(path: Path, rows: Iterable[dict[str, Any]], form: Form) -> int:
    """Write rows of JSON, one at a time; gives their number.

    Raises:
        DataError: a row that JSON cannot hold.
    """
    before, between, after = (b"[\n", b",\n", b"\n]\n") if form == "array" else (b"", b"\n", b"\n")
    count = 0
    with path.open("wb", buffering=BUFFER_BYTES) as file:
        for count, row in enumerate(rows, 1):
            try:
                line = orjson.dumps(row)
            except orjson.JSONEncodeError as error:
                raise DataError(f"row {count} cannot be written as JSON: {error}", where=str(path)) from None
            file.write(between if count > 1 else before)
            file.write(line)
        file.write(after if count else before + after if form == "array" else b"")
    return count


def write_parquet(path: Path, rows: Iterable[dict[str, Any]], columns: Mapping[str, Column]) -> int:
    """Write rows of flat columns as Parquet, some at a time; gives their number."""
    pa, parquet = require("pyarrow"), require("pyarrow.parquet")
    types = {"string": pa.string(), "double": pa.float64()}
    schema = pa.schema([(name, types[kind]) for name, kind in columns.items()])
    count, rest = 0, iter(rows)
    with parquet.ParquetWriter(str(path), schema) as writer:
        while batch := list(islice(rest, BATCH_ROWS)):
            writer.write_table(pa.Table.from_pylist(batch, schema=schema))
            count += len(batch)
    return count


def _array(path: Path, on_bad: OnBad) -> Iterator[Row]:
    number = 0
    with opened_json(path) as file:
        for number, value in enumerate(ijson.items(file, "item", use_float=True), 1):
            where = f"{path}: row {number}"
            if isinstance(value, dict):
                yield Row(where, value)
            else:
                on_bad(not_an_object(where, value))
    if not number:
        raise DataError("the list is empty: it has no row", where=str(path), hint="is it the right file?")


@contextlib.contextmanager
def opened_json(path: Path) -> Iterator[IO[bytes]]:
    """A file of one JSON value, behind its byte-order mark; what is broken in it is told as a fault of the file."""
    try:
        with opened(path) as file:
            if file.read(len(BOM)) != BOM:
                file.seek(0)
            yield file
    except ijson.JSONError as error:
        told = error.args[0]
        first = (told.decode(errors="replace") if isinstance(told, bytes) else str(told)).strip().splitlines()[0]
        hint = "a file with an object on each line is `type: jsonl`" if "trailing garbage" in first else None
        if "UTF8" in first:
            hint = f"if it is Chinese text, try `iconv -f GB18030 -t UTF-8 {path} > utf8.json`"
        raise DataError(f"not valid JSON: {first}", where=str(path), hint=hint) from None
    except (OSError, EOFError, zlib.error) as error:
        raise unreadable(path, error) from None
