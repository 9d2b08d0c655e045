"""An evaluation set of FlagEmbedding: files named for their splits."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from core.errors import UsageError
from core.formats import flagembedding
from core.formats.qrels import Judgement
from core.formats.rows import Found, OnBad
from core.types import Document, Query


@dataclass(frozen=True)
class FlagembeddingFolder:
    """corpus.jsonl, <split>_queries.jsonl, <split>_qrels.jsonl."""

    path: Path

    def documents(self, on_bad: OnBad) -> Iterator[Found[Document]]:
        return flagembedding.documents(self.path, on_bad)

    def queries(self, on_bad: OnBad) -> Iterator[Found[Query]]:
        # Judgements without queries would not be read at all, and their split would be missing without a word.
        for path in sorted(self.path.glob("*_qrels.jsonl")):
            split = path.name.removesuffix("_qrels.jsonl")
            if split not in flagembedding.splits(self.path):
                what = f"the split `{split}` has judgements and no queries"
                raise UsageError(what, where=str(path), hint=f"{split}_queries.jsonl is missing")
        return flagembedding.queries(self.path, on_bad)

    def judgements(self, on_bad: OnBad) -> Iterator[Judgement]:
        return flagembedding.judgements(self.path, on_bad)
