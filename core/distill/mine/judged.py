"""Judged queries of a BEIR folder, some thousands at a time: memory does not grow with their number."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from core.errors import ContractError, UsageError
from core.formats import beir, qrels
from core.types import Query

HELD = 1 << 14
"""Queries held at a time; the judgements are read once more for each such part."""

SHOWN = 3


class Judged(NamedTuple):
    """A query and the documents that answer it."""

    query: Query
    positives: tuple[str, ...]
    """Ids of the documents with a grade above 0, in the order of the judgements."""


@dataclass(frozen=True)
class Survey:
    """How far judgements and index fit together."""

    positives: int
    """Judgements with a grade above 0."""
    outside: int
    """Those of them whose document the index does not have."""


def survey(folder: Path, split: str, in_index: Callable[[str], bool]) -> Survey:
    """Look at all judgements of a split before the work.

    Raises:
        UsageError: there is no such split.
        ContractError: no judgement says that a document answers a query, or none of these documents is in the index.
    """
    positives, outside, some = 0, 0, list[str]()
    for judgement in _answers(folder, split):
        positives += 1
        if not in_index(judgement.document_id):
            outside += 1
            some += [judgement.document_id] if len(some) < SHOWN else []
    path = str(folder / beir.QRELS / f"{split}.tsv")
    if not positives:
        raise ContractError("no judgement has a grade above 0: no document answers a query", where=path)
    if outside == positives:
        raise ContractError(
            f"none of the {positives:,} judged documents is in the index (0 %)",
            where=path,
            hint=f"judged: {', '.join(map(repr, some))}. Was the index built from the corpus that was judged?",
        )
    return Survey(positives, outside)


def read(folder: Path, split: str, held: int = HELD) -> Iterator[Judged]:
    """The queries that a document answers, in the order of queries.jsonl.

    Raises:
        DataError: a bad row.
    """
    queries = (found.item for found in beir.queries(folder))
    while part := {query.id: query for query in islice(queries, held)}:
        answers: dict[str, list[str]] = {}
        for judgement in _answers(folder, split):
            if judgement.query_id in part:
                answers.setdefault(judgement.query_id, []).append(judgement.document_id)
        yield from (Judged(query, tuple(dict.fromkeys(answers[id_]))) for id_, query in part.items() if id_ in answers)


def _answers(folder: Path, split: str) -> Iterator[qrels.Judgement]:
    if split not in (there := beir.splits(folder)):
        names = ", ".join(f"`{name}`" for name in there)
        raise UsageError(
            f"there is no split `{split}`",
            where=str(folder / beir.QRELS),
            hint=f"there are {names}" if there else "the queries have no judgements",
        )
    judgements = qrels.read(folder / beir.QRELS / f"{split}.tsv", split)
    return (judgement for judgement in judgements if judgement.grade > 0)
