"""Documents, queries and judgements in files of their own."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from core.formats import jsonl, qrels
from core.formats.qrels import ONLY_SPLIT, Judgement
from core.formats.rows import Found, OnBad
from core.types import Document, Query


@dataclass(frozen=True)
class JsonlFiles:
    """Files of documents; perhaps files of queries; perhaps a file, or a folder of <split>.tsv, of judgements."""

    corpus: Sequence[Path]
    questions: Sequence[Path]
    qrels: Path | None

    def documents(self, on_bad: OnBad) -> Iterator[Found[Document]]:
        for path in self.corpus:
            yield from jsonl.documents(path, on_bad)

    def queries(self, on_bad: OnBad) -> Iterator[Found[Query]]:
        for path in self.questions:
            yield from jsonl.queries(path, on_bad)

    def judgements(self, on_bad: OnBad) -> Iterator[Judgement]:
        if self.qrels is None:
            return iter(())
        if self.qrels.is_dir():
            return qrels.read_folder(self.qrels, on_bad)
        return qrels.read(self.qrels, ONLY_SPLIT, on_bad)
