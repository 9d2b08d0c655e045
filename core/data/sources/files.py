"""A folder of documents in files of their own."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from core.formats.documents import folder
from core.formats.qrels import Judgement
from core.formats.rows import Found, OnBad
from core.types import Document, Query


@dataclass(frozen=True)
class DocumentFolder:
    """PDF, web pages, Word, Markdown and plain text; neither queries nor judgements."""

    path: Path
    pdf: Literal["file", "page"]

    def documents(self, on_bad: OnBad) -> Iterator[Found[Document]]:
        return folder.documents(self.path, on_bad, self.pdf)

    def queries(self, on_bad: OnBad) -> Iterator[Found[Query]]:  # noqa: ARG002 - as every source
        return iter(())

    def judgements(self, on_bad: OnBad) -> Iterator[Judgement]:  # noqa: ARG002 - as every source
        return iter(())
