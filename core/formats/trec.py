"""TREC files, one hit or one judgement a line, columns parted by white space.

runs        query Q0 document rank score tag
judgements  query 0 document grade
"""

import math
from collections.abc import Iterable, Iterator
from pathlib import Path

from core.errors import DataError
from core.formats.qrels import HEADER, Judgement, digits, judgement
from core.formats.rows import BadRow, OnBad, Row, fail, lines, text_of
from core.types import Hit, Run


def write_run(path: Path, run: Run, tag: str) -> None:
    """Write a run, best hit first, ranks from 1; scores in full precision.

    Raises:
        DataError: an id holds white space, which this format cannot carry.
    """
    with path.open("w", encoding="utf-8") as file:
        file.writelines(_lines(run, tag))


def _lines(run: Run, tag: str) -> Iterable[str]:
    for query_id, hits in run.items():
        for rank, hit in enumerate(hits, start=1):
            line = f"{query_id} Q0 {hit.document_id} {rank} {hit.score!r} {tag}\n"
            if len(line.split()) != 6:
                raise DataError(f"an id holds white space: query {query_id!r}, document {hit.document_id!r}")
            yield line


def read_run(path: Path) -> dict[str, list[Hit]]:
    """Read a run, or its three-column form `query document score`; hits by falling score, ties by document id.

    The rank column is not used, as in trec_eval.

    Raises:
        DataError: unreadable, empty, a line of other columns, a score that is no number, a document twice for a query.
    """
    found: dict[str, dict[str, float]] = {}
    try:
        with path.open(encoding="utf-8") as lines:
            for number, line in enumerate(lines, start=1):
                if line.strip():
                    query_id, hit = _parse(line.split(), f"{path}:{number}")
                    if hit.document_id in found.setdefault(query_id, {}):
                        raise DataError(f"{hit.document_id!r} stands twice for {query_id!r}", where=f"{path}:{number}")
                    found[query_id][hit.document_id] = hit.score
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"the run cannot be read: {error}", where=str(path)) from None
    if not found:
        raise DataError("the run is empty", where=str(path))
    return {query_id: ordered(scores) for query_id, scores in found.items()}


def ordered(scores: dict[str, float]) -> list[Hit]:
    """Hits by falling score, ties by document id."""
    return [Hit(*item) for item in sorted(scores.items(), key=lambda item: (-item[1], item[0]))]


def _parse(columns: list[str], where: str) -> tuple[str, Hit]:
    match columns:
        case [query_id, _, document_id, _, score, _] | [query_id, document_id, score]:
            return query_id, Hit(document_id, _score(score, where))
        case _:
            raise DataError(
                f"{len(columns)} columns, a run has six (query Q0 document rank score tag) or three", where=where
            )


def _score(text: str, where: str) -> float:
    try:
        score = float(text)
    except ValueError:
        score = math.nan
    if math.isnan(score):
        raise DataError(f"the score {text!r} is not a number", where=where)
    return score


def read_qrels(path: Path, split: str, on_bad: OnBad = fail) -> Iterator[Judgement]:
    """The judgements of a file, which are all of one split; the second column is not used, as in trec_eval.

    Raises:
        UsageError: there is no such file.
        DataError: it is not readable or empty.
    """
    for where, line in lines(path):
        try:
            found = _judgement(text_of(line, where), split, where)
        except BadRow as bad:
            on_bad(bad)
            continue
        yield found


def write_qrels(path: Path, items: Iterable[Judgement]) -> int:
    """Write a file of judgements; gives their number.

    Raises:
        DataError: an id holds white space, which this format cannot carry.
    """
    count = 0
    with path.open("w", encoding="utf-8") as file:
        for item in items:
            line = f"{item.query_id} 0 {item.document_id} {item.grade}\n"
            if len(line.split()) != 4:
                what = f"an id holds white space: query {item.query_id!r}, document {item.document_id!r}"
                raise DataError(what, where=item.where)
            file.write(line)
            count += 1
    return count


def _judgement(line: str, split: str, where: str) -> Judgement:
    columns = line.split()
    if len(columns) != 4:
        what = f"{len(columns)} columns, four are needed: query 0 document grade"
        hint = "six columns are a run, which holds hits and no judgements" if len(columns) == 6 else None
        raise BadRow("wrong columns", what, where=where, row=line, hint=hint)
    query_id, _, document_id, grade = columns
    return judgement(Row(where, dict(zip(HEADER, (query_id, document_id, digits(grade)), strict=True))), split)
