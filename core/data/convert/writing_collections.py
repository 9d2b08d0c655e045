"""Collections, or a part of one, in each format that holds it."""

import contextlib
import logging
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

from core.data.convert.counting import Counts, counted
from core.data.convert.judged import needed, one_split
from core.data.convert.kinds import Collection, Job
from core.data.sources.judged import CORPUS
from core.errors import DataError
from core.formats import beir, delimited, flagembedding, judged, pyserini, qrels, records, trec
from core.formats.lost import Lost
from core.formats.qrels import ONLY_SPLIT, SPLITS, Judgement
from core.types import Document, Query

log = logging.getLogger(__name__)

Collected: TypeAlias = dict[str, dict[str, int]]
"""Query id -> document id -> grade."""

_COLUMNS = ("id", "title", "text")


def beir_folder(source: Collection, job: Job, lost: Lost) -> Counts:
    """A BEIR folder with the parts that the source has."""
    job.output.mkdir()
    counts = {}
    if source.documents:
        counts["documents"] = beir.write_documents(job.output, counted(source.documents(lost)))
    if source.queries:
        counts["queries"] = beir.write_queries(job.output, source.queries(lost))
    if source.judgements:
        (job.output / beir.QRELS).mkdir()
        counts["judgements"] = _write_qrels(job.output / beir.QRELS, _chosen(source, job, lost))
    return counts


def flagembedding_folder(source: Collection, job: Job, lost: Lost) -> Counts:
    """FlagEmbedding's evaluation folder with the parts that the source has; each split gets its judged queries."""
    job.output.mkdir()
    counts = {}
    if source.documents:
        documents = counted(source.documents(lost))
        counts["documents"] = flagembedding.write_documents(job.output, documents, lost)
    if source.judgements is None:
        queries = needed(source, "queries")(lost)
        counts["queries"] = flagembedding.write_queries(job.output, job.split or ONLY_SPLIT, queries, lost)
        return counts
    asked: dict[str, set[str]] = {}
    for judgement in _chosen(source, job, lost):
        asked.setdefault(judgement.split, set()).add(judgement.query_id)
    counts |= {"queries": 0, "judgements": 0}
    for split, ids in asked.items():
        queries = (query for query in needed(source, "queries")(Lost()) if query.id in ids)
        counts["queries"] += flagembedding.write_queries(job.output, split, queries, lost)
        of_split = (item for item in source.judgements(Lost()) if item.split == split)
        counts["judgements"] += flagembedding.write_judgements(job.output, split, of_split)
    everywhere = set().union(*asked.values())
    lost["queries"] += sum(query.id not in everywhere for query in needed(source, "queries")(Lost()))
    return counts


def processed_folder(source: Collection, job: Job, lost: Lost) -> Counts:
    """A processed folder with the parts that the source has: each split is a file of queries with their grades.

    Raises:
        DataError: a judged query is not among the queries.
    """
    job.output.mkdir()
    counts = {}
    if source.documents:
        documents = map(judged.document_row, counted(source.documents(lost)))
        counts["documents"] = records.write(job.output / CORPUS, documents, "lines")
    if source.judgements is None:
        if source.queries:
            path = job.output / f"{job.split or ONLY_SPLIT}.jsonl"
            rows = (judged.query_row(query, None) for query in source.queries(lost))
            counts["queries"] = records.write(path, rows, "lines")
        return counts
    grades: dict[str, Collected] = {}
    for item in _chosen(source, job, lost):
        if item.split in SPLITS:
            qrels.add(grades.setdefault(item.split, {}), item)
        else:
            lost["judgements"] += 1
    counts |= {"queries": 0, "judgements": 0}
    for split, of_split in grades.items():
        queries = _judged_once(source, of_split, job, Lost() if counts["queries"] else lost)
        rows = (judged.query_row(query, of_split[query.id]) for query in queries)
        counts["queries"] += records.write(job.output / f"{split}.jsonl", rows, "lines")
        counts["judgements"] += sum(map(len, of_split.values()))
    everywhere = set().union(*grades.values())
    lost["queries"] += sum(query.id not in everywhere for query in needed(source, "queries")(Lost()))
    return counts


def _judged_once(source: Collection, grades: Collected, job: Job, lost: Lost) -> Iterator[Query]:
    """The queries that are judged in a split."""
    unmet = set(grades)
    for query in needed(source, "queries")(lost):
        if query.id in grades:
            unmet.discard(query.id)
            yield query
    if unmet:
        what = f"{len(unmet):,} judged queries are not among the queries, `{min(unmet)}` for one"
        raise DataError(what, where=str(job.input))


def csv_corpus(source: Collection, job: Job, lost: Lost) -> Counts:
    """The documents as a table of text."""
    rows = (tuple(row.values()) for row in _plain_rows(source, lost))
    count = delimited.write(job.output, _COLUMNS, rows, delimited.usual(Path(job.name)))
    _left_out(source, lost, "queries", "judgements")
    return {"documents": count}


def parquet_corpus(source: Collection, job: Job, lost: Lost) -> Counts:
    """The documents as Parquet."""
    columns: dict[str, records.Column] = dict.fromkeys(_COLUMNS, "string")
    count = records.write_parquet(job.output, _plain_rows(source, lost), columns)
    _left_out(source, lost, "queries", "judgements")
    return {"documents": count}


def _plain_rows(source: Collection, lost: Lost) -> Iterator[dict[str, str]]:
    """Documents as `_COLUMNS`."""
    for item in counted(needed(source, "documents")(lost)):
        lost["metadata"] += bool(item.metadata)
        yield dict(zip(_COLUMNS, (item.id, item.title, item.text), strict=True))


def trec_judgements(source: Collection, job: Job, lost: Lost) -> Counts:
    """The judgements of one split."""
    count = trec.write_qrels(job.output, counted(one_split(source, job, lost)))
    _left_out(source, lost, "documents", "queries")
    return {"judgements": count}


def pyserini_corpus(source: Collection, job: Job, lost: Lost) -> Counts:
    """The documents as id and contents; tells how many have no title, since others will find one."""
    counts = _corpus(source, job, lost, pyserini.rows)
    if untitled := counts["documents"] - lost["title"]:
        told = "%s documents have no title: tools that take the first line of `contents` for one will take their text"
        log.info(told, f"{untitled:,}")
    return counts


def tevatron_corpus(source: Collection, job: Job, lost: Lost) -> Counts:
    """The documents as docid and document_text."""
    return _corpus(source, job, lost, pyserini.tevatron_rows)


def flashrag_questions(source: Collection, job: Job, lost: Lost) -> Counts:
    """The queries with the answers that their metadata holds."""
    unanswered = 0

    def rows() -> Iterator[dict[str, Any]]:
        nonlocal unanswered
        for row in pyserini.question_rows(counted(needed(source, "queries")(lost))):
            unanswered += not row[pyserini.ANSWERS]
            yield row

    count = records.write(job.output, rows(), job.form)
    if unanswered:
        told = "%s questions have no `golden_answers`: nothing that is answered to them can be right"
        log.warning(told, f"{unanswered:,}")
    _left_out(source, lost, "documents", "judgements")
    return {"queries": count}


def _corpus(
    source: Collection, job: Job, lost: Lost, rows: Callable[[Iterable[Document], Lost], Iterator[dict[str, Any]]]
) -> Counts:
    documents = counted(needed(source, "documents")(lost))
    count = records.write(job.output, rows(documents, lost), job.form)
    _left_out(source, lost, "queries", "judgements")
    return {"documents": count}


def _chosen(source: Collection, job: Job, lost: Lost) -> Iterator[Judgement]:
    """The judgements of the split that the job names, or of all."""
    if job.split:
        return one_split(source, job, lost)
    stream: Iterator[Judgement] = needed(source, "judgements")(lost)
    return stream


def _write_qrels(folder: Path, judgements: Iterable[Judgement]) -> int:
    """Write <split>.tsv for each split, a judgement at a time; gives the number of judgements."""
    count = 0
    with contextlib.ExitStack() as stack:
        files: dict[str, Any] = {}
        for item in judgements:
            if item.split not in files:
                files[item.split] = stack.enter_context((folder / f"{item.split}.tsv").open("w", encoding="utf-8"))
                files[item.split].write("\t".join(qrels.HEADER) + "\n")
            files[item.split].write(f"{item.query_id}\t{item.document_id}\t{item.grade}\n")
            count += 1
    return count


def _left_out(source: Collection, lost: Lost, *parts: Any) -> None:
    """Count the parts of a collection that the target has no place for, and the scores and labels of its documents."""
    for part in parts:
        if (stream := getattr(source, part)) is not None:
            within = Lost()
            lost[part] += sum(1 for _ in stream(within))
            if part == "documents":
                lost.update(within)
