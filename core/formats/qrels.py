"""Judgements in three columns parted by tabs, one file a split.

query-id <tab> corpus-id <tab> score
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from core.errors import DataError
from core.formats.fields import clean_id
from core.formats.rows import BadRow, OnBad, Row, fail, lines, text_of

HEADER = ("query-id", "corpus-id", "score")
SPLITS = ("train", "dev", "test")
"""The usual splits, in the order in which they are listed; others follow by name."""

_HEADS = {"query-id", "query_id", "qid", "query"}
_INTEGER = re.compile(r"-?\d+", re.ASCII)


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
    names = {path.stem for path in folder.glob("*.tsv")}
    return [name for name in SPLITS if name in names] + sorted(names.difference(SPLITS))


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


def _judgement(cells: list[str], split: str, where: str) -> Judgement:
    if len(cells) != len(HEADER):
        hint = "query id, document id and grade, parted by tabs"
        if len(cells) == 1 and len(cells[0].split()) == 4:
            hint = """these are TREC judgements: awk '{print $1"\\t"$3"\\t"$4}' makes the three columns"""
        what = f"{len(cells)} columns, three are needed"
        raise BadRow("wrong columns", what, where=where, row="\t".join(cells), hint=hint)
    row = Row(where, dict(zip(HEADER, cells, strict=True)))
    query_id, document_id = (clean_id(row.fields[name], row, name) for name in HEADER[:2])
    if not _INTEGER.fullmatch(cells[2]):
        what = f"the grade {cells[2]!r} is not an integer"
        raise BadRow("bad grade", what, where=where, row="\t".join(cells), hint="0 is not relevant, 1 and more are")
    return Judgement(split, query_id, document_id, int(cells[2]), where)
