"""Documents, queries and judgements in files of their own."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from core.formats import jsonl, qrels
from core.formats.qrels import Judgement
from core.formats.rows import Found, OnBad
from core.types import Document, Query

ONLY_SPLIT = "test"
"""The split of judgements that come as one file."""


@dataclass(frozen=True)
class JsonlFiles:
    """A file of documents; perhaps one of queries; perhaps a file, or a folder of <split>.tsv, of judgements."""

    corpus: Path
    questions: Path | None
    qrels: Path | None

    def documents(self, on_bad: OnBad) -> Iterator[Found[Document]]:
        return jsonl.documents(self.corpus, on_bad)

    def queries(self, on_bad: OnBad) -> Iterator[Found[Query]]:
        return jsonl.queries(self.questions, on_bad) if self.questions else iter(())

    def judgements(self, on_bad: OnBad) -> Iterator[Judgement]:
        if self.qrels is None:
            return iter(())
        if self.qrels.is_dir():
            return qrels.read_folder(self.qrels, on_bad)
        return qrels.read(self.qrels, ONLY_SPLIT, on_bad)
