"""A TREC collection."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from core.formats import trec, trec_collection
from core.formats.qrels import Judgement
from core.formats.rows import Found, OnBad
from core.formats.trec_collection import QueryField
from core.types import Document, Query

JUDGEMENTS = (".txt", ".tsv", ".qrels", ".qrel")
"""How files of judgements in a folder may end; before that stands the split."""


@dataclass(frozen=True)
class TrecFiles:
    """Files of documents, files of topics, and files of judgements, each of a split."""

    document_files: Sequence[Path]
    query_files: Sequence[Path]
    judgement_files: Sequence[tuple[str, Path]]
    query_field: QueryField

    def documents(self, on_bad: OnBad) -> Iterator[Found[Document]]:
        for path in self.document_files:
            yield from trec_collection.documents(path, on_bad)

    def queries(self, on_bad: OnBad) -> Iterator[Found[Query]]:
        for path in self.query_files:
            yield from trec_collection.queries(path, self.query_field, on_bad)

    def judgements(self, on_bad: OnBad) -> Iterator[Judgement]:
        for split, path in self.judgement_files:
            yield from trec.read_qrels(path, split, on_bad)
