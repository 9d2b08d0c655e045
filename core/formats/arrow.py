"""Rows of Parquet and Arrow files, read batch by batch, as plain values: what JSON could hold."""

from collections.abc import Iterable, Iterator
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from core import lazy
from core.errors import DataError
from core.formats.rows import BadRow, OnBad, Row, fail, unreadable

BATCH = 1024
"""Rows held as Python objects at a time."""

BUFFER_BYTES = 1 << 20
"""Bytes of a column that are read ahead."""


def parquet(path: Path, on_bad: OnBad = fail) -> Iterator[Row]:
    """The rows of a Parquet file; a place is `file: row 7`, counted from 1.

    Raises:
        UsageError: there is no such file.
        DataError: it is no Parquet file, or broken.
    """
    yield from _rows(path, on_bad, _parquet_batches)


def arrow(path: Path, on_bad: OnBad = fail) -> Iterator[Row]:
    """The rows of an Arrow file (`.arrow`, stream or file form) as Hugging Face `datasets` writes them.

    Raises:
        UsageError: there is no such file.
        DataError: it is no Arrow file, or broken.
    """
    yield from _rows(path, on_bad, _arrow_batches)


def _rows(path: Path, on_bad: OnBad, batches: Any) -> Iterator[Row]:
    wrong = lazy.require("pyarrow").lib.ArrowException
    number = 0
    try:
        with path.open("rb") as file:
            for batch in batches(file):
                for values in _plain_rows(batch):
                    number += 1
                    row = Row(f"{path}: row {number}", values)
                    try:
                        yield Row(row.where, {name: _plain(value, name, row) for name, value in values.items()})
                    except BadRow as bad:
                        on_bad(bad)
    except (wrong, EOFError) as error:
        told = str(error).strip().splitlines()[0]
        raise DataError(f"the file cannot be read: {told}", where=str(path), hint="is it whole? get it again") from None
    except OSError as error:
        raise unreadable(path, error) from None
    if not number:
        raise DataError("the file is empty: it has no row", where=str(path), hint="is it the right file?")


def _parquet_batches(file: Any) -> Iterator[Any]:
    # By default the whole file, and of each row group whole columns, come into memory first.
    module = lazy.require("pyarrow.parquet")
    yield from module.ParquetFile(file, pre_buffer=False, buffer_size=BUFFER_BYTES).iter_batches(BATCH)


def _arrow_batches(file: Any) -> Iterator[Any]:
    ipc = lazy.require("pyarrow").ipc
    if file.read(6) == b"ARROW1":
        reader = ipc.open_file(file)
        yield from (reader.get_batch(number) for number in range(reader.num_record_batches))
    else:
        file.seek(0)
        yield from ipc.open_stream(file)


def _plain_rows(batch: Any) -> Iterable[dict[str, Any]]:
    for start in range(0, batch.num_rows, BATCH):
        yield from batch.slice(start, BATCH).to_pylist()


def _plain(value: Any, name: str, row: Row) -> Any:
    """`value` as JSON could hold it: times and exact decimals as text.

    Raises:
        BadRow: bytes that are no UTF-8.
    """
    if value is None or isinstance(value, str | int | float | bool):
        return value
    if isinstance(value, list):
        return [_plain(item, name, row) for item in value]
    if isinstance(value, dict):
        return {str(key): _plain(item, f"{name}.{key}", row) for key, item in value.items()}
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, Decimal | timedelta):
        return str(value)
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            raise BadRow("bad text", f"`{name}` holds bytes that are not UTF-8", where=row.where) from None
    raise BadRow("bad text", f"`{name}` is a {type(value).__name__}, which is no text", where=row.where)
