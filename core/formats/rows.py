"""Rows of text files, one at a time, each with its place; a bad one is an error that knows its row.

A file whose name ends in `.gz` is unpacked as it is read.

Every reader above this takes `on_bad`: it is called with each bad row, and when it returns, the reader goes on.
"""

import gzip
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any, Generic, Literal, NamedTuple, TypeVar, cast

import orjson

from core.errors import DataError, DrError, UsageError

Reason = Literal[
    "broken JSON",
    "not UTF-8",
    "not an object",
    "missing id",
    "bad id",
    "duplicate id",
    "missing text",
    "bad text",
    "empty document",
    "empty query",
    "wrong columns",
    "bad grade",
    "bad split",
    "duplicate judgement",
    "unknown query",
    "unknown document",
    "bad conversation",
    "bad choice",
    "bad answer",
    "bad record",
    "unreadable file",
    "no text layer",
]

EXCERPT_CHARACTERS = 200
MAX_LINE_BYTES = 64 << 20
"""A longer line is refused before it fills the memory."""

BOM = b"\xef\xbb\xbf"

T = TypeVar("T")


class BadRow(DataError):
    """One unusable row: why, where, and how it begins."""

    def __init__(self, reason: Reason, what: str, *, where: str, row: object = "", hint: str | None = None) -> None:
        super().__init__(what, where=where, hint=hint)
        self.reason = reason
        self.excerpt = _excerpt(row)


OnBad = Callable[[BadRow], None]
"""What to do with a bad row: raise, or note it and return."""


def fail(bad: BadRow) -> None:
    """The strict way: the first bad row is the end."""
    raise bad


class Row(NamedTuple):
    """One JSON object and its place, e.g. `corpus.jsonl:12`."""

    where: str
    fields: dict[str, Any]


class Found(NamedTuple, Generic[T]):
    """What a row holds, its place, and the fields in which its id and its text stood."""

    item: T
    where: str
    id_field: str
    text_field: str


def objects(path: Path, on_bad: OnBad = fail) -> Iterator[Row]:
    """The JSON object of each line. Blank lines and a byte-order mark are passed over.

    Raises:
        DataError: `path` is no readable file of lines, or has none.
    """
    for where, line in lines(path):
        try:
            value = orjson.loads(line)
        except orjson.JSONDecodeError as error:
            on_bad(_broken(where, line, error))
            continue
        if isinstance(value, dict):
            yield Row(where, value)
        else:
            on_bad(not_an_object(where, value))


def lines(path: Path) -> Iterator[tuple[str, bytes]]:
    """Place and bytes of each line that is not blank.

    Raises:
        DataError: `path` is absent, a folder, not readable, compressed, UTF-16, or holds no line.
    """
    empty = True
    for where, line in every_line(path):
        if not line.isspace() and line:
            empty = False
            yield where, line
    if empty:
        raise DataError("the file is empty: it has no row", where=str(path), hint="is it the right file?")


def every_line(path: Path) -> Iterator[tuple[str, bytes]]:
    """Like `lines`, with the blank ones; nothing for an empty file."""
    name = str(path)
    try:
        with opened(path) as file:
            for number, line in enumerate(iter(lambda: file.readline(MAX_LINE_BYTES + 1), b""), 1):
                if len(line) > MAX_LINE_BYTES:
                    what = f"the line is longer than {MAX_LINE_BYTES >> 20} MiB: this is no file of JSON lines"
                    raise DataError(what, where=f"{name}:{number}", hint="one object a line")
                yield f"{name}:{number}", _first(line, name) if number == 1 else line
    except (OSError, EOFError, zlib.error) as error:
        raise unreadable(path, error) from None


def opened(path: Path) -> IO[bytes]:
    """The bytes of `path`, unpacked when its name ends in `.gz`."""
    return cast(IO[bytes], gzip.open(path, "rb")) if path.suffix == ".gz" else path.open("rb")


def unreadable(path: Path, error: Exception) -> DrError:
    """Why `path` cannot be read as a file, with what to do."""
    if isinstance(error, gzip.BadGzipFile | EOFError | zlib.error):
        return DataError(f"the file is not whole gzip: {error}", where=str(path), hint="get it again, or unpack it")
    if isinstance(error, IsADirectoryError):
        return UsageError("a folder is here, a file is needed", where=str(path), hint="name the file inside it")
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return UsageError("there is no such file", where=str(path), hint="paths are relative to where `dr` is called")
    return DataError(f"the file cannot be read: {getattr(error, 'strerror', None) or error}", where=str(path))


def text_of(line: bytes, where: str) -> str:
    """A line as text.

    Raises:
        BadRow: it is not UTF-8.
    """
    try:
        return line.decode()
    except UnicodeDecodeError as error:
        raise _not_utf8(where, line, error) from None


def not_an_object(where: str, value: object) -> BadRow:
    """A row that is a list, a text or a number."""
    return BadRow(
        "not an object",
        f"the row is {kind_of(value)}, a JSON object is needed",
        where=where,
        row=value,
        hint="one object a line: `jq -c '.[]'` makes lines of a JSON list" if isinstance(value, list) else None,
    )


def kind_of(value: object) -> str:
    """What JSON value this is, in words."""
    if value is None:
        return "null"
    kinds = {
        bool: "true or false",
        int: "a number",
        float: "a number",
        str: "a text",
        list: "a list",
        dict: "an object",
    }
    return kinds.get(type(value), f"a {type(value).__name__}")


def _first(line: bytes, name: str) -> bytes:
    """The first line without its byte-order mark; refuses files of another kind."""
    if line.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise DataError("the file is UTF-16", where=name, hint=f"iconv -f UTF-16 -t UTF-8 {name} > utf8.jsonl")
    if line.startswith((b"\x1f\x8b", b"PK\x03\x04", b"BZh", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd")):
        raise DataError("the file is compressed", where=name, hint="unpack it first")
    return line.removeprefix(BOM)


def _broken(where: str, line: bytes, error: orjson.JSONDecodeError) -> BadRow:
    try:
        line.decode()
    except UnicodeDecodeError as wrong:
        return _not_utf8(where, line, wrong)
    hint = None
    if line.strip() in {b"[", b"{"}:
        hint = "the file is one JSON value over many lines: `jq -c '.[]'` makes one line a row of a list"
    what = f"broken JSON: {error.msg} (column {error.colno})"
    return BadRow("broken JSON", what, where=where, row=line, hint=hint)


def _not_utf8(where: str, line: bytes, error: UnicodeDecodeError) -> BadRow:
    what = f"not UTF-8: byte 0x{line[error.start]:02X} at byte {error.start + 1} of the line"
    name = where.rpartition(":")[0]
    hint = f"if it is Chinese text, try `iconv -f GB18030 -t UTF-8 {name} > utf8.jsonl`"
    return BadRow("not UTF-8", what, where=where, row=line, hint=hint)


def _excerpt(row: object) -> str:
    if isinstance(row, bytes):
        # Four bytes a character at most: a row of many megabytes is not decoded for its first words.
        row = row[: 4 * EXCERPT_CHARACTERS].decode(errors="replace").strip()
    elif not isinstance(row, str):
        try:
            row = orjson.dumps(row).decode()
        except orjson.JSONEncodeError:
            row = repr(row)
    return str(row)[:EXCERPT_CHARACTERS].encode(errors="replace").decode()
