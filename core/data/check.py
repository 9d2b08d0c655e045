"""`dr data check`: what is in a BEIR folder, anybody's, and what is wrong with it. One pass, in little memory.

A folder of training rows (mined, made by `dr data rows`, mixed of such) goes to `check_training`.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from core import artifact, progress
from core.data import check_training, held
from core.data.duplicates import Duplicates
from core.data.report import Faults, Report, listed, percentiles
from core.data.seen import Seen
from core.data.sources.beir import BeirFolder
from core.formats import beir
from core.formats.qrels import Judgement, in_order
from core.formats.rows import BadRow
from core.recipe import CORPUS
from core.types import Query


def inspect(folder: Path) -> Report:
    """Read the whole corpus or all rows at `folder`; an artifact's files must have the sizes that its manifest tells.

    Raises:
        DataError: there is neither a corpus nor a file of rows, or a file cannot be read at all.
        ArtifactError: an artifact of another stage, or one whose files were changed.
    """
    if (folder / artifact.MANIFEST).exists():
        artifact.read(folder, (*CORPUS.stages, *held.FILES, "rows"))
    if not (folder / beir.CORPUS).exists() and (files := held.rows(folder)):
        return check_training.of_folder(folder, files)
    faults, source = Faults(), BeirFolder(folder)
    queries = _queries(source, faults)
    judgements = _judgements(source, {query.id for query in queries}, faults)
    documents = _documents(source, judgements, faults)
    facts = {
        "documents": documents,
        "queries": _query_facts(queries, judgements),
        "splits": {
            name: _split_facts([j for j in judgements if j.split == name])
            for name in in_order(j.split for j in judgements)
        },
        "bad_rows": dict(faults.counts),
    }
    return Report(folder, facts, faults.told() + _leaks(judgements), list(_rows(facts)))


def _documents(source: BeirFolder, judgements: Iterable[Judgement], faults: Faults) -> dict[str, Any]:
    judged = {judgement.document_id for judgement in judgements}
    ids, duplicates, lengths, met, titled = Seen(), Duplicates(), Counter[int](), set[str](), 0
    for document, where, *_ in progress.track(source.documents(faults), "documents"):
        if not ids.add(document.id):
            faults(BadRow("duplicate id", f"`{document.id}` is used before", where=where))
        if not document.contents.strip():
            faults(BadRow("empty document", f"`{document.id}` is empty", where=where))
        if document.id in judged:
            met.add(document.id)
        duplicates.note(document)
        lengths[len(document.contents)] += 1
        titled += bool(document.title)
    for judgement in judgements:
        if judgement.document_id not in met:
            faults(BadRow("unknown document", f"`{judgement.document_id}`", where=judgement.where))
    return {
        "count": lengths.total(),
        "with_title": titled,
        "characters": percentiles(lengths),
        "exact_duplicates": duplicates.count,
    }


def _queries(source: BeirFolder, faults: Faults) -> list[Query]:
    found: dict[str, Query] = {}
    for query, where, *_ in source.queries(faults):
        if found.setdefault(query.id, query) is not query:
            faults(BadRow("duplicate id", f"query `{query.id}` is used before", where=where))
    return list(found.values())


def _judgements(source: BeirFolder, query_ids: set[str], faults: Faults) -> list[Judgement]:
    found: dict[tuple[str, str, str], Judgement] = {}
    grades: dict[tuple[str, str], int] = {}
    for judgement in source.judgements(faults):
        if judgement.query_id not in query_ids:
            faults(BadRow("unknown query", f"`{judgement.query_id}`", where=judgement.where))
        if found.setdefault(judgement[:3], judgement) is not judgement:
            faults(BadRow("duplicate judgement", f"`{judgement.query_id}`", where=judgement.where))
        pair = judgement.query_id, judgement.document_id
        if grades.setdefault(pair, judgement.grade) != judgement.grade:
            faults.note("conflicting grade", judgement.where)
    return list(found.values())


def _query_facts(queries: list[Query], judgements: Iterable[Judgement]) -> dict[str, Any]:
    judged = {judgement.query_id for judgement in judgements}
    return {
        "count": len(queries),
        "characters": percentiles(Counter(len(query.text) for query in queries)),
        "duplicate_texts": len(queries) - len({query.text for query in queries}),
        "without_judgements": sum(query.id not in judged for query in queries),
    }


def _split_facts(judgements: list[Judgement]) -> dict[str, Any]:
    per_query = Counter(judgement.query_id for judgement in judgements)
    relevant = {judgement.query_id for judgement in judgements if judgement.grade > 0}
    grades = Counter(judgement.grade for judgement in judgements)
    return {
        "queries": len(per_query),
        "judgements": len(judgements),
        "judgements_per_query": round(len(judgements) / len(per_query), 2),
        "most_judgements_of_a_query": max(per_query.values()),
        "queries_without_relevant": len(per_query.keys() - relevant),
        "grades": {str(grade): grades[grade] for grade in sorted(grades)},
    }


def _leaks(judgements: Iterable[Judgement]) -> list[str]:
    pairs = {(judgement.query_id, judgement.split) for judgement in judgements}
    several = sum(count > 1 for count in Counter(query for query, _ in pairs).values())
    return [f"{several} × query judged in more than one split"] if several else []


def _rows(facts: dict[str, Any]) -> Iterator[tuple[str, str]]:
    documents, queries = facts["documents"], facts["queries"]
    yield "documents", f"{documents['count']:,}"
    yield "  with a title", f"{documents['with_title']:,}"
    yield "  exact duplicates", f"{documents['exact_duplicates']:,}"
    yield "  characters", listed(documents["characters"])
    yield "queries", f"{queries['count']:,}"
    yield "  with the text of another", f"{queries['duplicate_texts']:,}"
    yield "  without judgements", f"{queries['without_judgements']:,}"
    yield "  characters", listed(queries["characters"])
    for name, split in facts["splits"].items():
        yield f"split {name}", f"{split['queries']:,} queries, {split['judgements']:,} judgements"
        yield (
            "  judgements of a query",
            f"mean {split['judgements_per_query']}, max {split['most_judgements_of_a_query']}",
        )
        yield "  queries without a relevant document", f"{split['queries_without_relevant']:,}"
        yield "  judgements by grade", listed(split["grades"])
    yield "bad rows", listed(facts["bad_rows"])
