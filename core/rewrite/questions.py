"""The queries that are rewritten."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from core.errors import DataError
from core.formats import beir, jsonl
from core.formats.records import any_rows
from core.formats.rows import BOM, fail, lines
from core.rewrite.recipe import OfCorpus, OfFile
from core.types import Query


def read(source: OfCorpus | OfFile) -> list[Query]:
    """The queries, in their order.

    Raises:
        UsageError: no such file or split.
        DataError: a bad row, an id used twice, or no query at all.
    """
    match source:
        case OfCorpus(data=data, split=split):
            judged = None if split is None else beir.read_qrels(data, split)
            found = [query for query in beir.read_queries(data) if judged is None or query.id in judged]
            where = str(data)
        case OfFile(path=path):
            found, where = of_file(path), str(path)
    if not found:
        raise DataError("there is no query", where=where)
    return found


def of_file(path: Path) -> list[Query]:
    """The queries of a file; lines of text where its name ends in `.txt`, else objects."""
    if path.name.lower().removesuffix(".gz").endswith(".txt"):
        return [_of_line(line, where) for where, line in lines(path)]
    found: dict[str, Query] = {}
    for item, where, *_ in jsonl.convert(any_rows(path), jsonl.query, fail):
        if found.setdefault(item.id, item) is not item:
            raise DataError(f"the query id `{item.id}` is used twice", where=where)
    return list(found.values())


def of_lines(text: Iterable[bytes], name: str) -> Iterator[Query]:
    """One query a line, its id the number of the line; blank lines are none."""
    return (_of_line(line, f"{name}:{number}") for number, line in enumerate(text, 1) if line.strip())


def _of_line(line: bytes, where: str) -> Query:
    try:
        return Query(where.rpartition(":")[2], line.removeprefix(BOM).decode().strip())
    except UnicodeDecodeError:
        raise DataError("the line is not UTF-8", where=where) from None
