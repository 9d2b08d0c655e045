"""A BEIR folder of somebody else's."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from core.formats import beir, qrels
from core.formats.qrels import Judgement
from core.formats.rows import Found, OnBad
from core.types import Document, Query


@dataclass(frozen=True)
class BeirFolder:
    """corpus.jsonl; perhaps queries.jsonl; perhaps qrels/<split>.tsv."""

    path: Path

    def documents(self, on_bad: OnBad) -> Iterator[Found[Document]]:
        return beir.documents(self.path, on_bad)

    def queries(self, on_bad: OnBad) -> Iterator[Found[Query]]:
        # Judgements without queries are a broken folder, not a corpus without queries: reading says so.
        without = not (self.path / beir.QUERIES).exists() and not beir.splits(self.path)
        return iter(()) if without else beir.queries(self.path, on_bad)

    def judgements(self, on_bad: OnBad) -> Iterator[Judgement]:
        folder = self.path / beir.QRELS
        return qrels.read_folder(folder, on_bad) if folder.exists() else iter(())
