"""Each format as the kind of data that it holds."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TypeVar

from core.data.convert import gathered, shelf
from core.data.convert.kinds import Collection, Examples, Job, Pairs
from core.data.sources.judged import CORPUS, processed
from core.errors import DataError, UsageError
from core.formats import (
    arrow,
    beir,
    delimited,
    examples,
    flagembedding,
    jsonl,
    ms_swift,
    pyserini,
    qrels,
    table,
    tevatron,
    trec,
    triples,
)
from core.formats.lost import Lost
from core.formats.qrels import ONLY_SPLIT, Judgement
from core.formats.records import records
from core.formats.rows import Found, Row, fail
from core.formats.sentence_transformers import Table
from core.types import Document, Example, Passage, Query

T = TypeVar("T")

_DOCUMENT_TEXTS = (*jsonl.DOCUMENT_TEXT, "document_text")


def our_examples(job: Job) -> Examples:
    """Rows of `core.formats.examples`."""
    return Examples(lambda _lost: map(examples.example, records(job.input)))


def flagembedding_examples(job: Job) -> Examples:
    """FlagEmbedding's training rows."""
    return Examples(lambda _lost: map(flagembedding.example, records(job.input)))


def ms_swift_examples(job: Job) -> Examples:
    """ms-swift's rows for InfoNCE."""
    return Examples(lambda _lost: map(ms_swift.example, records(job.input)))


def ms_swift_pairs(job: Job) -> Pairs:
    """ms-swift's rows with a label."""
    return Pairs(lambda _lost: map(ms_swift.pair, records(job.input)))


def triples_pairs(job: Job) -> Pairs:
    """Rows of query, document, rel and weight."""
    return Pairs(lambda _lost: map(triples.pair, records(job.input)))


def table_examples(job: Job) -> Examples:
    """Columns of sentence-transformers without a label."""
    return Examples(lambda _lost: map(Table().example, records(job.input)))


def table_pairs(job: Job) -> Pairs:
    """Columns of sentence-transformers with a label."""
    return Pairs(lambda _lost: map(Table().pair, records(job.input)))


def tevatron_examples(job: Job) -> Examples:
    """Tevatron's training rows, with the texts of the corpus beside them or of `--corpus`.

    Raises:
        UsageError: there are several files of training rows and no split is named, or no corpus.
        DataError: (while it streams) a row names a document that is not there.
    """
    rows = _tevatron_rows(job)
    corpus = job.corpus or rows.parent / tevatron.CORPUS
    wanted = {passage.id for example, _ in tevatron.examples(rows) for passage in example.positives + example.negatives}
    others = shelf.put(_documents(corpus), wanted, kept := job.shelf("documents"))

    def filled(passages: tuple[Passage, ...], where: str) -> tuple[Passage, ...]:
        found = []
        for passage in passages:
            if not (texts := kept.get(passage.id)):
                what = f"document `{passage.id}` is not in the corpus {corpus}"
                raise DataError(what, where=where, hint="--corpus names the file that holds it")
            title, text = texts[0]
            found.append(Passage(text, passage.id, title))
        return tuple(found)

    def stream(lost: Lost) -> Iterator[Example]:
        lost["documents"] += others
        for item, where in tevatron.examples(rows):
            positives, negatives = filled(item.positives, where), filled(item.negatives, where)
            yield Example(item.query, positives, negatives, item.query_id, item.instruction, item.metadata)

    return Examples(stream)


def beir_folder(job: Job) -> Collection:
    """A BEIR folder, or a part of one; documents may come from `--corpus`."""
    folder = job.input
    return Collection(
        _corpus(job, _items(beir.documents, folder) if (folder / beir.CORPUS).exists() else None),
        _queries(job, _items(beir.queries, folder) if (folder / beir.QUERIES).exists() else None),
        (lambda _lost: qrels.read_folder(folder / beir.QRELS)) if beir.splits(folder) else None,
    )


def flagembedding_folder(job: Job) -> Collection:
    """FlagEmbedding's evaluation folder; documents may come from `--corpus`."""
    folder = job.input
    has_corpus = (folder / flagembedding.CORPUS).exists()
    return Collection(
        _corpus(job, _items(flagembedding.documents, folder) if has_corpus else None),
        _items(flagembedding.queries, folder),
        (lambda _lost: flagembedding.judgements(folder)) if flagembedding.has_judgements(folder) else None,
    )


def processed_folder(job: Job) -> Collection:
    """A processed folder: corpus.jsonl, and train, dev and test.jsonl with judged queries; a query comes once."""
    source = processed(job.input)
    own = (lambda _lost: (found.item for found in source.documents(fail))) if (job.input / CORPUS).exists() else None

    def queries(_lost: Lost) -> Iterator[Query]:
        once = gathered.Once("query", job)
        return (found.item for found in source.queries(fail) if once.first(found.item.id, found.item.text))

    there = bool(source.splits)
    return Collection(
        _corpus(job, own), queries if there else None, (lambda _lost: source.judgements(fail)) if there else None
    )


def csv_corpus(job: Job) -> Collection:
    """A table of text with a document in each row."""
    return Collection(documents=_table(lambda: delimited.rows(job.input)))


def parquet_corpus(job: Job) -> Collection:
    """A Parquet file with a document in each row."""
    needs = table.document_needs(None, None, None)
    return Collection(documents=_table(lambda: arrow.parquet(job.input, needs=needs)))


def _table(rows: Callable[[], Iterator[Row]]) -> Callable[[Lost], Iterator[Document]]:
    return lambda _lost: (found.item for found in jsonl.convert(rows(), table.document, fail))


def trec_judgements(job: Job) -> Collection:
    """A file of judgements; documents and queries come from `--corpus`."""

    def judgements(_lost: Lost) -> Iterator[Judgement]:
        return trec.read_qrels(job.input, job.split or ONLY_SPLIT)

    return Collection(_corpus(job, None), _queries(job, None), judgements)


def pyserini_corpus(job: Job) -> Collection:
    """A file of documents: id, contents."""
    return Collection(documents=_items(pyserini.documents, job.input))


def tevatron_corpus(job: Job) -> Collection:
    """A file of documents: docid, document_text."""
    return Collection(documents=_items(pyserini.tevatron_documents, job.input))


def flashrag_questions(job: Job) -> Collection:
    """FlashRAG's questions; documents come from `--corpus`."""
    return Collection(_corpus(job, None), _items(pyserini.questions, job.input))


def _items(read: Callable[[Path], Iterable[Found[T]]], path: Path) -> Callable[[Lost], Iterator[T]]:
    return lambda _lost: (found.item for found in read(path))


def _corpus(job: Job, own: Callable[[Lost], Iterator[Document]] | None) -> Callable[[Lost], Iterator[Document]] | None:
    """The documents of `--corpus` where it is given, else the input's own."""
    if (corpus := job.corpus) is None:
        return own
    return lambda _lost: _documents(corpus)


def _queries(job: Job, own: Callable[[Lost], Iterator[Query]] | None) -> Callable[[Lost], Iterator[Query]] | None:
    """The input's own queries, else those of a BEIR folder that `--corpus` names."""
    if own or job.corpus is None or not (job.corpus / beir.QUERIES).exists():
        return own
    return _items(beir.queries, job.corpus)


def _documents(path: Path) -> Iterator[Document]:
    """The documents of a BEIR folder, or of a file of rows under any of the usual names."""
    if path.is_dir():
        return beir.read_documents(path)
    return (found.item for found in jsonl.convert(records(path), _document, fail))


def _document(row: Row) -> Found[Document]:
    return jsonl.document(row, texts=_DOCUMENT_TEXTS)


def _tevatron_rows(job: Job) -> Path:
    if not job.input.is_dir():
        return job.input
    names = tevatron.splits(job.input)
    if job.split or len(names) == 1:
        return job.input / f"{job.split or names[0]}.jsonl"
    what = f"there are several files of training rows: {', '.join(names)}" if names else "there are no training rows"
    raise UsageError(what, where=str(job.input), hint="name one with --split: train is train.jsonl")
