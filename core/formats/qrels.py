"""Judgements in three columns parted by tabs, one file a split.

query-id <tab> corpus-id <tab> score
"""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from core.errors import DataError
from core.formats.fields import clean_id
from core.formats.rows import BadRow, OnBad, Row, fail, lines, text_of

HEADER = ("query-id", "corpus-id", "score")
SPLITS = ("train", "dev", "test")
"""The usual splits, in the order in which they are listed; others follow by name."""

ONLY_SPLIT = "test"
"""The split of judgements that name none: those that come as one file."""

_HEADS = {"query-id", "query_id", "qid", "query"}
_INTEGER = re.compile(r"-?\d{1,18}", re.ASCII)
_SPLIT = re.compile(r"[\w.-]+")


class Judgement(NamedTuple):
    """One line of the judgements; grade 0 is judged and not relevant."""

    split: str
    query_id: str
    document_id: str
    grade: int
    where: str


def read(path: Path, split: str, on_bad: OnBad = fail) -> Iterator[Judgement]:
    """The lines of a judgement file of three columns, parted by tabs; the header may be missing.

    Raises:
        DataError: no readable file, or no line in it.
    """
    rows = 0
    for number, (where, line) in enumerate(lines(path)):
        try:
            cells = [cell.strip() for cell in text_of(line, where).split("\t")]
            if number == 0 and cells[0].lower() in _HEADS:
                continue
            rows += 1
            found = _judgement(cells, split, where)
        except BadRow as bad:
            on_bad(bad)
            continue
        yield found
    if not rows:
        raise DataError("the file has no judgement, only a header", where=str(path), hint="is it the right file?")


def read_folder(folder: Path, on_bad: OnBad = fail) -> Iterator[Judgement]:
    """The judgements of every `<split>.tsv` in `folder`, split by split.

    Raises:
        DataError: no such folder, or no such file in it.
    """
    if not (names := split_names(folder)):
        raise DataError("no judgements are here", where=str(folder), hint="name them train.tsv, dev.tsv or test.tsv")
    for name in names:
        yield from read(folder / f"{name}.tsv", name, on_bad)


def split_names(folder: Path) -> list[str]:
    """Names of the `<split>.tsv` in `folder`: train, dev, test, then others by name; empty when there are none."""
    return in_order(path.stem for path in folder.glob("*.tsv"))


def in_order(names: Iterable[str]) -> list[str]:
    """Each of these splits once: train, dev, test, then others by name."""
    there = set(names)
    return [name for name in SPLITS if name in there] + sorted(there.difference(SPLITS))


def add(qrels: dict[str, dict[str, int]], judgement: Judgement) -> None:
    """Put one judgement in its place.

    Raises:
        BadRow: the pair is judged already.
    """
    of_query = qrels.setdefault(judgement.query_id, {})
    if judgement.document_id in of_query:
        what = f"query `{judgement.query_id}` and document `{judgement.document_id}` are judged twice"
        raise BadRow("duplicate judgement", what, where=judgement.where, hint="keep one of the lines")
    of_query[judgement.document_id] = judgement.grade


def judgement(row: Row, split: str, names: tuple[str, str, str] = HEADER) -> Judgement:
    """The judgement in a row: query id, document id and grade stand in the fields of these names.

    Raises:
        BadRow: an id that is none, or a grade that is no whole number.
    """
    query_id, document_id = (clean_id(row.fields[name], row, name) for name in names[:2])
    return Judgement(split, query_id, document_id, grade(row.fields[names[2]], row), row.where)


def grade(value: object, row: Row) -> int:
    """`value` as a grade: a whole number; 1.0 is one too, and a text is none.

    Raises:
        BadRow: it is none.
    """
    if isinstance(value, int | float) and not isinstance(value, bool) and value == value // 1:
        return int(value)
    hint = "0 is not relevant, 1 and more are"
    raise BadRow("bad grade", f"the grade {value!r} is not an integer", where=row.where, row=row.fields, hint=hint)


def split_named(value: object, row: Row) -> str:
    """`value` as the name of a split, which becomes the name of a file.

    Raises:
        BadRow: it is no word of letters, digits, `.`, `_` and `-`.
    """
    if _SPLIT.fullmatch(name := str(value)):
        return name
    hint = "letters, digits, `.`, `_` and `-`: it becomes the name of a file"
    raise BadRow("bad split", f"the split {name[:80]!r} is no name", where=row.where, row=row.fields, hint=hint)


def digits(cell: str) -> int | str:
    """The whole number that a cell of a text file holds; the cell as it is where it holds none."""
    return int(cell) if _INTEGER.fullmatch(cell) else cell


def _judgement(cells: list[str], split: str, where: str) -> Judgement:
    if len(cells) != len(HEADER):
        hint = "query id, document id and grade, parted by tabs"
        if len(cells) == 1 and len(cells[0].split()) == 4:
            hint = """these are TREC judgements: awk '{print $1"\\t"$3"\\t"$4}' makes the three columns"""
        what = f"{len(cells)} columns, three are needed"
        raise BadRow("wrong columns", what, where=where, row="\t".join(cells), hint=hint)
    return judgement(Row(where, {HEADER[0]: cells[0], HEADER[1]: cells[1], HEADER[2]: digits(cells[2])}), split)
