"""The one table of formats: how each is read and, from which kind of data, written."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from core.data.convert import bridges, reading, writing_collections, writing_rows
from core.data.convert.counting import Counts
from core.data.convert.kinds import Collection, Examples, Job, Pairs, Source
from core.errors import UsageError
from core.formats.lost import Lost
from core.formats.records import Form


@dataclass(frozen=True)
class FromExamples:
    """A target that is made of examples."""

    write: Callable[[Examples, Job, Lost], Counts]


@dataclass(frozen=True)
class FromPairs:
    """A target that is made of graded pairs."""

    write: Callable[[Pairs, Job, Lost], Counts]


@dataclass(frozen=True)
class FromCollection:
    """A target that is made of documents, queries or judgements."""

    write: Callable[[Collection, Job, Lost], Counts]


Target: TypeAlias = FromExamples | FromPairs | FromCollection


@dataclass(frozen=True)
class Format:
    """How a format is read and written."""

    read: Callable[[Job], Source]
    target: Target
    takes_corpus: bool = False
    """Whether documents may come from another file when it is read."""
    forms: tuple[Form, ...] = ("lines", "array")
    """What may hold the rows when it is written."""


_TABLE: tuple[Form, ...] = ("lines", "array", "parquet")
_ENDINGS: dict[Form, str] = {"lines": ".jsonl (.csv for a table)", "array": ".json", "parquet": ".parquet"}


FORMATS = {
    "examples": Format(reading.our_examples, FromExamples(writing_rows.our_examples)),
    "beir": Format(reading.beir_folder, FromCollection(writing_collections.beir_folder), takes_corpus=True),
    "processed": Format(
        reading.processed_folder, FromCollection(writing_collections.processed_folder), takes_corpus=True
    ),
    "csv": Format(reading.csv_corpus, FromCollection(writing_collections.csv_corpus), forms=("lines",)),
    "parquet": Format(reading.parquet_corpus, FromCollection(writing_collections.parquet_corpus), forms=("parquet",)),
    "trec": Format(reading.trec_judgements, FromCollection(writing_collections.trec_judgements), takes_corpus=True),
    "pyserini": Format(reading.pyserini_corpus, FromCollection(writing_collections.pyserini_corpus)),
    "flashrag": Format(
        reading.flashrag_questions, FromCollection(writing_collections.flashrag_questions), takes_corpus=True
    ),
    "sentence-transformers": Format(reading.table_examples, FromExamples(writing_rows.table_examples), forms=_TABLE),
    "sentence-transformers-pairs": Format(reading.table_pairs, FromPairs(writing_rows.table_pairs), forms=_TABLE),
    "flagembedding": Format(reading.flagembedding_examples, FromExamples(writing_rows.flagembedding_rows)),
    "flagembedding-eval": Format(
        reading.flagembedding_folder, FromCollection(writing_collections.flagembedding_folder), takes_corpus=True
    ),
    "tevatron": Format(reading.tevatron_examples, FromExamples(writing_rows.tevatron_folder), takes_corpus=True),
    "tevatron-corpus": Format(reading.tevatron_corpus, FromCollection(writing_collections.tevatron_corpus)),
    "ms-swift": Format(reading.ms_swift_examples, FromExamples(writing_rows.ms_swift_rows)),
    "ms-swift-pairs": Format(reading.ms_swift_pairs, FromPairs(writing_rows.ms_swift_pairs)),
    "triples": Format(reading.triples_pairs, FromPairs(writing_rows.triples_rows)),
}


def check_target(name: str, form: Form, negatives: int | None) -> None:
    """Look whether this format can be written like this.

    Raises:
        UsageError: nothing of this name can hold it, or it has no negatives in its rows.
    """
    if form not in FORMATS[name].forms:
        held = {"lines": "lines", "array": "one JSON array", "parquet": "Parquet"}[form]
        hint = f"name the output {_ENDINGS[FORMATS[name].forms[0]]}"
        raise UsageError(f"{name} is not written as {held}", hint=hint)
    if negatives is not None and not isinstance(FORMATS[name].target, FromExamples):
        raise UsageError(f"--negatives means nothing to {name}, whose rows have none", hint="leave it out")


def write(target: Target, source: Source, job: Job, lost: Lost) -> Counts:
    """Make `job.output` of a source of any kind."""
    match target:
        case FromExamples():
            return target.write(bridges.as_examples(source, job), job, lost)
        case FromPairs():
            return target.write(bridges.as_pairs(source, job), job, lost)
        case FromCollection():
            return target.write(bridges.as_collection(source, job), job, lost)
