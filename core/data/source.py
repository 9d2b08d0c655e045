"""What every source of documents offers, and the one place where a recipe's words become one."""

from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from core.data.sources import spec
from core.data.sources.beir import BeirFolder
from core.data.sources.files import DocumentFolder
from core.data.sources.flagembedding import FlagembeddingFolder
from core.data.sources.hub import HubFolder
from core.data.sources.jsonl import JsonlFiles
from core.data.sources.judged import JudgedQueries, processed
from core.data.sources.onefile import OneFile
from core.data.sources.paths import all_of, by_split
from core.data.sources.reader import OwnReader
from core.data.sources.tables import Reader, Tables
from core.data.sources.trec import JUDGEMENTS, TrecFiles
from core.formats import arrow, delimited
from core.formats.qrels import ONLY_SPLIT, Judgement
from core.formats.rows import Found, OnBad
from core.types import Document, Query


class Source(Protocol):
    """A corpus as its owner keeps it. Each call reads from the start, as a stream, and hands bad rows to `on_bad`."""

    def documents(self, on_bad: OnBad) -> Iterator[Found[Document]]:
        """Every document, in the owner's order."""
        ...

    def queries(self, on_bad: OnBad) -> Iterator[Found[Query]]:
        """Every query, in the owner's order; nothing where the source has none."""
        ...

    def judgements(self, on_bad: OnBad) -> Iterator[Judgement]:
        """Every judgement, split by split; nothing where the source has none."""
        ...


def opened(given: spec.SourceSpec) -> Source:
    """The source that a recipe names; no file is opened yet.

    Raises:
        UsageError: a folder is missing, or a list of files is empty.
    """
    match given:
        case spec.Jsonl():
            return JsonlFiles(all_of(given.documents), _files(given.queries), given.qrels)
        case spec.Beir():
            return BeirFolder(given.path)
        case spec.Onefile():
            return OneFile(given.path)
        case spec.Trec():
            judged = _judged(given.qrels, JUDGEMENTS, given.split)
            return TrecFiles(all_of(given.documents), _files(given.queries), judged, given.query_field)
        case spec.Processed():
            return processed(given.path)
        case spec.Tevatron():
            queries = [(given.split, path) for path in all_of(given.queries)]
            return JudgedQueries(queries, _files(given.documents))
        case spec.Flagembedding():
            return FlagembeddingFolder(given.path)
        case spec.Csv():
            judged = _judged(given.qrels, (".csv", ".tsv"), ONLY_SPLIT)
            return Tables(
                _cells(given.delimiter), all_of(given.documents), _files(given.queries), judged, given.columns
            )
        case spec.Parquet():
            judged = _judged(given.qrels, (".parquet",), ONLY_SPLIT)
            return Tables(arrow.parquet, all_of(given.documents), _files(given.queries), judged, given.columns)
        case spec.Datasets():
            return HubFolder(given)
        case spec.Folder():
            return DocumentFolder(given.path, given.pdf)
        case spec.Python():
            return OwnReader(given.file, given.function, given.path, _files(given.documents))
        case spec.Sample():
            return JsonlFiles([given.file("corpus")], [given.file("queries")], given.folder() / "qrels")


def _cells(delimiter: str | None) -> Reader:
    return lambda path, on_bad, _needs: delimited.rows(path, on_bad, delimiter)


def _files(given: Path | tuple[Path, ...] | None) -> list[Path]:
    return all_of(given) if given is not None else []


def _judged(path: Path | None, endings: tuple[str, ...], only: str) -> list[tuple[str, Path]]:
    return by_split(path, endings, only) if path else []
