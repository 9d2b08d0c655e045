"""A reader of the user's own: a function in a Python file."""

import contextlib
import runpy
import signal
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import orjson

from core.errors import DataError, DrError, UsageError
from core.formats import jsonl
from core.formats.fields import clean_id
from core.formats.qrels import ONLY_SPLIT, Judgement, grade, split_named
from core.formats.rows import BadRow, Found, OnBad, Row
from core.types import Document, Query

KINDS = ("document", "query", "judgement")


@dataclass(frozen=True)
class OwnReader:
    """Records that a function yields; documents may come from files of JSON lines instead."""

    file: Path
    function: str
    path: Path | None
    document_files: Sequence[Path] = ()

    def documents(self, on_bad: OnBad) -> Iterator[Found[Document]]:
        if not self.document_files:
            yield from jsonl.convert(self._rows("document", on_bad), _document, on_bad)
        for path in self.document_files:
            yield from jsonl.documents(path, on_bad)

    def queries(self, on_bad: OnBad) -> Iterator[Found[Query]]:
        return jsonl.convert(self._rows("query", on_bad), _query, on_bad)

    def judgements(self, on_bad: OnBad) -> Iterator[Judgement]:
        for row in self._rows("judgement", on_bad):
            try:
                found = _judgement(row)
            except BadRow as bad:
                on_bad(bad)
                continue
            yield found

    def _rows(self, wanted: str, on_bad: OnBad) -> Iterator[Row]:
        """The fields of every record of this kind. What is no record at all is told once, with the queries."""
        for number, record in enumerate(self._records(), 1):
            where = f"{self.file}: {self.function}(), record {number}"
            kind, fields = _fields(record)
            if kind == wanted:
                yield Row(where, fields)
            elif kind is None and wanted == "query":
                what = f"the record is {_shown(record)}"
                hint = "yield Document, Query or Judgement, or a dict with `kind`: document, query or judgement"
                on_bad(BadRow("bad record", what, where=where, row=repr(record), hint=hint))
            elif kind == "document" and self.document_files and wanted == "query":
                what = "the function yields documents, and the recipe names other files for them"
                raise UsageError(what, where=where, hint="leave `source.documents` out, or yield no documents")

    def _records(self) -> Iterator[Any]:
        with _Theirs(self.file):
            records = iter(self._called())
        while True:
            with _Theirs(self.file):
                record = next(records, _END)
            if record is _END:
                return
            yield record

    def _called(self) -> Any:
        function = self._found()
        records = function(self.path) if self.path else function()
        if not hasattr(records, "__iter__"):
            what = f"`{self.function}` gives {_shown(records)}, not records one after the other"
            raise UsageError(what, where=str(self.file), hint="`yield` each record")
        return records

    def _found(self) -> Callable[..., Any]:
        # Run by its path, not imported: nothing is cached or written beside it, and each reading begins afresh.
        names = runpy.run_path(str(self.file), run_name="dr_reader")
        function: Callable[..., Any] | None = names.get(self.function)
        if function is None or not callable(function):
            there = ", ".join(f"`{n}`" for n, v in names.items() if callable(v) and not n.startswith("_")) or "none"
            what = f"there is no function `{self.function}`; the file has {there}"
            raise UsageError(what, where=str(self.file), hint="name it in `source.function`")
        return function


_END = object()

INTERRUPTED = (128 + signal.SIGINT, 128 + signal.SIGTERM)
"""Codes with which `dr` ends when it is interrupted."""


class _Theirs(contextlib.AbstractContextManager["_Theirs"]):
    """While the user's code runs: what it prints goes to stderr, what it raises is told with its line."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._stdout = contextlib.redirect_stdout(sys.stderr)

    def __enter__(self) -> "_Theirs":
        self._stdout.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stdout.__exit__(kind, error, trace)
        # Any error: it is the user's code, and nobody knows what it can raise. Ours and interrupts pass through; a
        # signal is told from the reader's own sys.exit by its code alone.
        interrupted = isinstance(error, SystemExit) and error.code in INTERRUPTED
        if isinstance(error, Exception | SystemExit) and not isinstance(error, DrError) and not interrupted:
            told = f"{type(error).__name__}: {error}"
            raise DataError(f"the reader failed: {told}", where=_line(self._file, error)) from error


def _line(file: Path, error: BaseException) -> str:
    """The last line of `file` on the way to the error."""
    if isinstance(error, SyntaxError) and error.filename == str(file):
        return f"{file}:{error.lineno}"
    inside = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(file)]
    return f"{file}:{inside[-1]}" if inside else str(file)


def _fields(record: Any) -> tuple[str | None, dict[str, Any]]:
    """What kind of record it is, None for no such kind, and its fields."""
    match record:
        case Document():
            return "document", {
                "id": record.id,
                "text": record.text,
                "title": record.title,
                "metadata": record.metadata,
            }
        case Query():
            return "query", {"id": record.id, "text": record.text, "metadata": record.metadata}
        case Judgement():
            return "judgement", record._asdict()
        case {"kind": "document" | "query" | "judgement" as kind}:
            return kind, {name: value for name, value in record.items() if name != "kind"}
        case _:
            return None, {}


def _document(row: Row) -> Found[Document]:
    return jsonl.document(_plain(row), ("id",), ("text",))


def _query(row: Row) -> Found[Query]:
    return jsonl.query(_plain(row), ("id",), ("text",))


def _judgement(row: Row) -> Judgement:
    row = _plain(row)
    if lacking := [name for name in ("query_id", "document_id", "grade") if name not in row.fields]:
        raise BadRow("missing id", f"the judgement has no `{lacking[0]}`", where=row.where, row=row.fields)
    query_id, document_id = (clean_id(row.fields[name], row, name) for name in ("query_id", "document_id"))
    split = split_named(row.fields.get("split") or ONLY_SPLIT, row)
    return Judgement(split, query_id, document_id, grade(row.fields["grade"], row), row.where)


def _plain(row: Row) -> Row:
    """The row as JSON holds it.

    Raises:
        BadRow: JSON cannot.
    """
    plain = {}
    for name, value in row.fields.items():
        try:
            plain[name] = orjson.loads(orjson.dumps(dict(value) if isinstance(value, Mapping) else value, option=_JSON))
        except orjson.JSONEncodeError as error:
            what = f"`{name}` is {_shown(value)}, which JSON cannot hold: {error}"
            raise BadRow("bad record", what, where=row.where, row=repr(row.fields)) from None
    return Row(row.where, plain)


_JSON = orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_DATACLASS
"""Dates and records are refused: which text they should become is not ours to say."""


def _shown(value: Any) -> str:
    kind = type(value).__name__
    return f"a dict without a `kind` of {', '.join(KINDS)}" if isinstance(value, dict) else f"a {kind}"
