"""Rows of Parquet and Arrow files, read batch by batch, as plain values: what JSON could hold.

A reader that says what it `needs` gets no other columns of bytes, images or vectors: they are not even read.
"""

import functools
import logging
from collections.abc import Callable, Iterable, Iterator
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeAlias

from core import lazy
from core.errors import DataError
from core.formats.rows import BadRow, OnBad, Row, fail, unreadable

log = logging.getLogger(__name__)

Needs: TypeAlias = tuple[tuple[str, ...], ...]
"""What a reader looks for: of each of these, the first column that is there."""

BATCH = 1024
"""Rows held as Python objects at a time."""

BUFFER_BYTES = 1 << 20
"""Bytes of a column that are read ahead."""

Choice: TypeAlias = Callable[[Any], list[str] | None]
"""The names of the columns to read, by the schema of a file; None: all."""


def parquet(path: Path, on_bad: OnBad = fail, needs: Needs | None = None) -> Iterator[Row]:
    """The rows of a Parquet file; a place is `file: row 7`, counted from 1. Without `needs`, all columns.

    Raises:
        UsageError: there is no such file.
        DataError: it is no Parquet file, or broken.
    """
    yield from _rows(path, on_bad, _parquet_batches, needs)


def arrow(path: Path, on_bad: OnBad = fail, needs: Needs | None = None) -> Iterator[Row]:
    """The rows of an Arrow file (`.arrow`, stream or file form) as Hugging Face `datasets` writes them; see `parquet`.

    Raises:
        UsageError: there is no such file.
        DataError: it is no Arrow file, or broken.
    """
    yield from _rows(path, on_bad, _arrow_batches, needs)


def _rows(path: Path, on_bad: OnBad, batches: Any, needs: Needs | None) -> Iterator[Row]:
    wrong = lazy.require("pyarrow").lib.ArrowException
    number = 0
    try:
        with path.open("rb") as file:
            for batch in batches(file, lambda schema: _columns(path, schema, needs)):
                for values in _plain_rows(batch):
                    number += 1
                    row = Row(f"{path}: row {number}", values)
                    try:
                        yield Row(row.where, {name: _plain(value, name, row) for name, value in values.items()})
                    except BadRow as bad:
                        on_bad(bad)
    except (OverflowError, ValueError) as error:
        if isinstance(error, wrong):
            raise _broken(path, error) from None
        what = f"a row after row {number} holds what cannot be read: {error}"
        raise DataError(what, where=str(path), hint="is it a date before the year 1 or after 9999?") from None
    except (wrong, EOFError) as error:
        raise _broken(path, error) from None
    except OSError as error:
        raise unreadable(path, error) from None
    if not number:
        raise DataError("the file is empty: it has no row", where=str(path), hint="is it the right file?")


def _broken(path: Path, error: Exception) -> DataError:
    told = (str(error).strip() or type(error).__name__).splitlines()[0]
    return DataError(f"the file cannot be read: {told}", where=str(path), hint="is it whole? get it again")


def _parquet_batches(file: Any, columns: Choice) -> Iterator[Any]:
    # By default the whole file, and of each row group whole columns, come into memory first.
    module = lazy.require("pyarrow.parquet")
    opened = module.ParquetFile(file, pre_buffer=False, buffer_size=BUFFER_BYTES)
    names = columns(opened.schema_arrow)
    for batch in opened.iter_batches(BATCH, columns=names):
        yield batch if names is None else batch.select(names)


def _arrow_batches(file: Any, columns: Choice) -> Iterator[Any]:
    ipc = lazy.require("pyarrow").ipc
    if file.read(6) == b"ARROW1":
        reader = ipc.open_file(file)
        batches = (reader.get_batch(number) for number in range(reader.num_record_batches))
    else:
        file.seek(0)
        batches = reader = ipc.open_stream(file)
    names = columns(reader.schema)
    for batch in batches:
        yield batch if names is None else batch.select(names)


def _columns(path: Path, schema: Any, needs: Needs | None) -> list[str] | None:
    """The columns to read; None: all."""
    if needs is None:
        return None
    needed = {next((name for name in names if name in schema.names), "") for names in needs}
    kept = [field.name for field in schema if field.name in needed or _is_plain(field.type)]
    if not kept or len(kept) == len(schema.names):
        return None
    _tell(path.parent, tuple(name for name in schema.names if name not in kept))
    return kept


@functools.cache  # once for all files of a folder, however often they are read
def _tell(folder: Path, names: tuple[str, ...]) -> None:
    told = ", ".join(f"`{name}`" for name in names)
    log.info("%s: not read, because they hold bytes or vectors and nothing asks for them: %s", folder, told)


def _is_plain(kind: Any) -> bool:
    """Whether values of this Arrow type are texts, numbers, times, or made of them; vectors of numbers are not."""
    types = lazy.require("pyarrow").types
    if isinstance(kind, lazy.require("pyarrow").BaseExtensionType):
        return _is_plain(kind.storage_type)
    if types.is_dictionary(kind):
        return _is_plain(kind.value_type)
    if types.is_fixed_size_list(kind):
        return False
    if types.is_list(kind) or types.is_large_list(kind):
        return not types.is_floating(kind.value_type) and _is_plain(kind.value_type)
    if types.is_map(kind):
        return _is_plain(kind.key_type) and _is_plain(kind.item_type)
    if types.is_struct(kind):
        return all(_is_plain(field.type) for field in kind)
    return types.is_null(kind) or types.is_primitive(kind) or types.is_decimal(kind) or _is_text(kind)


def _is_text(kind: Any) -> bool:
    return str(kind) in {"string", "large_string", "string_view"}


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
    if isinstance(value, list | tuple):  # a tuple is an entry of a map
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
