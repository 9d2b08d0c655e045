"""Documents, queries and judgements in tables: CSV, Parquet, and JSON lines under other names of fields."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeAlias

from core.data.sources.spec import Columns
from core.formats import table
from core.formats.arrow import Needs
from core.formats.jsonl import convert
from core.formats.qrels import Judgement
from core.formats.rows import BadRow, Found, OnBad, Row
from core.types import Document, Query

Reader: TypeAlias = Callable[[Path, OnBad, Needs], Iterator[Row]]
"""The rows of one file, with the columns that are needed and what else is plain."""
USUAL = Columns()


@dataclass(frozen=True)
class Tables:
    """Files of documents and of queries, one after the other; files of judgements, each of a split."""

    read: Reader
    document_files: Sequence[Path]
    query_files: Sequence[Path] = ()
    judgement_files: Sequence[tuple[str, Path]] = ()
    columns: Columns = USUAL

    def documents(self, on_bad: OnBad) -> Iterator[Found[Document]]:
        names = self.columns.documents
        make = partial(table.document, identifier=names.id, title=names.title, text=names.text)
        needs = table.document_needs(names.id, names.title, names.text)
        for path in self.document_files:
            yield from convert(self.read(path, on_bad, needs), make, on_bad)

    def queries(self, on_bad: OnBad) -> Iterator[Found[Query]]:
        names = self.columns.queries
        make = partial(table.query, identifier=names.id, text=names.text)
        needs = table.query_needs(names.id, names.text)
        for path in self.query_files:
            yield from convert(self.read(path, on_bad, needs), make, on_bad)

    def judgements(self, on_bad: OnBad) -> Iterator[Judgement]:
        names = self.columns.qrels
        needs = table.judgement_needs(names.query, names.document, names.grade)
        for split, path in self.judgement_files:
            for row in self.read(path, on_bad, needs):
                try:
                    found = table.judgement(row, split, names.query, names.document, names.grade)
                except BadRow as bad:
                    on_bad(bad)
                    continue
                yield found
