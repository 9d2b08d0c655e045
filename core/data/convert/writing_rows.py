"""Training data in each format that holds it, made of examples or of graded pairs."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from core.data.convert import gathered
from core.data.convert.counting import Counts, counted
from core.data.convert.kinds import Examples, Job, Pairs
from core.formats import examples, flagembedding, ms_swift, pyserini, records, tevatron, triples
from core.formats import sentence_transformers as tables
from core.formats.lost import Lost
from core.types import Document, Example, Pair, Passage

TRAIN = "train"
"""The split that is written where none is named."""


def our_examples(source: Examples, job: Job, lost: Lost) -> Counts:
    """Rows of `core.formats.examples`, which carry everything."""
    return _example_rows(source, job, lost, lambda item, _lost: (examples.as_row(item),))


def flagembedding_rows(source: Examples, job: Job, lost: Lost) -> Counts:
    """FlagEmbedding's training rows."""
    return _example_rows(source, job, lost, lambda item, lost: (flagembedding.row(item, lost),))


def ms_swift_rows(source: Examples, job: Job, lost: Lost) -> Counts:
    """ms-swift's rows for InfoNCE."""
    return _example_rows(source, job, lost, ms_swift.rows)


def table_examples(source: Examples, job: Job, lost: Lost) -> Counts:
    """Columns of sentence-transformers; all rows have as many negatives as the example with the fewest, or as asked."""
    number = job.negatives
    if number is None:
        number = min((len(item.negatives) for item in source.stream(Lost())), default=0)
    rows = _rows(_trimmed(source, number, lost), lost, tables.rows)
    if job.form == "parquet":
        columns: dict[str, records.Column] = dict.fromkeys(tables.columns(number), "string")
        return {"rows": records.write_parquet(job.output, rows, columns)}
    return {"rows": records.write(job.output, rows, job.form)}


def tevatron_folder(source: Examples, job: Job, lost: Lost) -> Counts:
    """Tevatron's training rows and, beside them, the documents that they name."""
    job.output.mkdir()
    once, counts = gathered.Once("document", job), {}

    def documents() -> Iterator[Document]:
        for item in _trimmed(source, job.negatives, Lost()):
            for passage in item.positives + item.negatives:
                identifier = gathered.document_id(passage)
                if once.first(identifier, passage.contents):
                    yield Document(identifier, passage.text, passage.title)

    def rows(item: Example, lost: Lost) -> tuple[dict[str, Any]]:
        lost["instruction"] += bool(item.instruction)
        lost["metadata"] += bool(item.metadata)
        lost["score"] += sum(passage.score is not None for passage in item.positives + item.negatives)
        positives, negatives = (tuple(map(_named, passages)) for passages in (item.positives, item.negatives))
        return (tevatron.row(Example(item.query, positives, negatives, gathered.query_id(item))),)

    path = job.output / f"{job.split or TRAIN}.jsonl"
    counts["rows"] = records.write(path, _rows(_trimmed(source, job.negatives, lost), lost, rows), "lines")
    corpus = pyserini.tevatron_rows(documents(), lost)
    return counts | {"documents": records.write(job.output / tevatron.CORPUS, corpus, "lines")}


def triples_rows(source: Pairs, job: Job, lost: Lost) -> Counts:
    """Rows of query, document, rel and weight."""
    return _pair_rows(source, job, lost, triples.row)


def ms_swift_pairs(source: Pairs, job: Job, lost: Lost) -> Counts:
    """ms-swift's rows with a label."""
    return _pair_rows(source, job, lost, ms_swift.pair_row)


def table_pairs(source: Pairs, job: Job, lost: Lost) -> Counts:
    """Columns of sentence-transformers with a score."""
    if job.form != "parquet":
        return _pair_rows(source, job, lost, tables.pair_row)
    rows = (tables.pair_row(item, lost) for item in counted(source.stream(lost)))
    first, second, score = tables.PAIR_COLUMNS
    return {"rows": records.write_parquet(job.output, rows, {first: "string", second: "string", score: "double"})}


def _example_rows(
    source: Examples, job: Job, lost: Lost, rows: Callable[[Example, Lost], Iterable[dict[str, Any]]]
) -> Counts:
    made = _rows(_trimmed(source, job.negatives, lost), lost, rows)
    return {"rows": records.write(job.output, made, job.form)}


def _rows(
    items: Iterable[Example], lost: Lost, rows: Callable[[Example, Lost], Iterable[dict[str, Any]]]
) -> Iterator[dict[str, Any]]:
    for item in counted(items):
        yield from rows(item, lost)


def _pair_rows(source: Pairs, job: Job, lost: Lost, row: Callable[[Pair, Lost], dict[str, Any]]) -> Counts:
    rows = (row(item, lost) for item in counted(source.stream(lost)))
    return {"rows": records.write(job.output, rows, job.form)}


def _trimmed(source: Examples, number: int | None, lost: Lost) -> Iterator[Example]:
    """The examples with the first `number` of their negatives; those with fewer are left out. None: as they are."""
    if number is None:
        yield from source.stream(lost)
        return
    for item in source.stream(lost):
        if (surplus := len(item.negatives) - number) < 0:
            lost["examples"] += 1
            continue
        lost["negatives"] += surplus
        negatives = item.negatives[:number]
        yield Example(item.query, item.positives, negatives, item.query_id, item.instruction, item.metadata)


def _named(passage: Passage) -> Passage:
    return Passage("", gathered.document_id(passage))
