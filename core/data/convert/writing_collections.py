"""Collections, or a part of one, in each format that holds it."""

import contextlib
import logging
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from core.data.convert.counting import Counts, counted
from core.data.convert.judged import needed, one_split
from core.data.convert.kinds import Collection, Job
from core.data.convert.reading import ONLY_SPLIT
from core.formats import beir, flagembedding, pyserini, qrels, records, trec
from core.formats.lost import Lost
from core.formats.qrels import Judgement
from core.types import Document

log = logging.getLogger(__name__)


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
    judged: dict[str, set[str]] = {}
    for judgement in _chosen(source, job, lost):
        judged.setdefault(judgement.split, set()).add(judgement.query_id)
    counts |= {"queries": 0, "judgements": 0}
    for split, ids in judged.items():
        queries = (query for query in needed(source, "queries")(Lost()) if query.id in ids)
        counts["queries"] += flagembedding.write_queries(job.output, split, queries, lost)
        of_split = (item for item in source.judgements(Lost()) if item.split == split)
        counts["judgements"] += flagembedding.write_judgements(job.output, split, of_split)
    everywhere = set().union(*judged.values())
    lost["queries"] += sum(query.id not in everywhere for query in needed(source, "queries")(Lost()))
    return counts


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
    rows = pyserini.question_rows(counted(needed(source, "queries")(lost)))
    count = records.write(job.output, rows, job.form)
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
    """Count the parts of a collection that the target has no place for."""
    for part in parts:
        if (stream := getattr(source, part)) is not None:
            lost[part] += sum(1 for _ in stream(Lost()))
