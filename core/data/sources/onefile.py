"""One JSON file with everything in it."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from core.formats import onefile
from core.formats.qrels import Judgement
from core.formats.rows import Found, OnBad
from core.types import Document, Query


@dataclass(frozen=True)
class OneFile:
    """{"queries": […], "corpus": […], "qrels": {…}}"""

    path: Path

    def documents(self, on_bad: OnBad) -> Iterator[Found[Document]]:
        return onefile.documents(self.path, on_bad)

    def queries(self, on_bad: OnBad) -> Iterator[Found[Query]]:
        return onefile.queries(self.path, on_bad)

    def judgements(self, on_bad: OnBad) -> Iterator[Judgement]:
        return onefile.judgements(self.path, on_bad)
