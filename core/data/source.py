"""What every source of documents offers, and the one place where a recipe's words become one."""

from collections.abc import Iterator
from typing import Protocol

from core.data import recipe
from core.data.sources.beir import BeirFolder
from core.data.sources.jsonl import JsonlFiles
from core.data.sources.onefile import OneFile
from core.formats.qrels import Judgement
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


def opened(spec: recipe.SourceSpec) -> Source:
    """The source that a recipe names; nothing is read yet."""
    match spec:
        case recipe.Jsonl():
            return JsonlFiles(spec.documents, spec.queries, spec.qrels)
        case recipe.Beir():
            return BeirFolder(spec.path)
        case recipe.Onefile():
            return OneFile(spec.path)
        case recipe.Sample():
            folder = spec.folder()
            return JsonlFiles(folder / "corpus.jsonl", folder / "queries.jsonl", folder / "qrels")
