"""A data set of Hugging Face in BEIR's form: configurations of documents, queries and judgements."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from core.data.sources.spec import Datasets
from core.data.sources.tables import Tables
from core.errors import UsageError
from core.formats import hub
from core.formats.qrels import Judgement
from core.formats.records import any_rows
from core.formats.rows import Found, OnBad
from core.types import Document, Query

_QRELS = ("qrels", "default")
"""Where judgements are when the recipe does not say."""


@dataclass(frozen=True)
class HubFolder:
    """What is in the folder shows when it is read."""

    spec: Datasets

    def documents(self, on_bad: OnBad) -> Iterator[Found[Document]]:
        files = self._files(self.spec.path, self.spec.documents)
        return Tables(any_rows, _paths(files), columns=self.spec.columns).documents(on_bad)

    def queries(self, on_bad: OnBad) -> Iterator[Found[Query]]:
        if self.spec.queries is None:
            return iter(())
        files = hub.files(self.spec.path, self.spec.queries)
        if not files and self._judgement_files():
            # Judgements without queries are a broken set, not a corpus without queries: asking for them says so.
            files = self._files(self.spec.path, self.spec.queries)
        return Tables(any_rows, (), _paths(files), columns=self.spec.columns).queries(on_bad)

    def judgements(self, on_bad: OnBad) -> Iterator[Judgement]:
        files = self._judgement_files() if self.spec.queries is not None else []
        return Tables(any_rows, (), (), files, self.spec.columns).judgements(on_bad)

    def _judgement_files(self) -> list[tuple[str, Path]]:
        folder = self.spec.qrels_path or self.spec.path
        if self.spec.qrels is not None:
            return self._files(folder, self.spec.qrels)
        found = next((files for name in _QRELS if (files := hub.files(folder, name))), [])
        return hub.loose(folder) if self.spec.qrels_path and not found else found

    def _files(self, folder: Path, configuration: str) -> list[tuple[str, Path]]:
        if files := hub.files(folder, configuration):
            return files
        there = ", ".join(sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))) or "nothing"
        what = f"there is no configuration `{configuration}`; the folder has {there}"
        raise UsageError(what, where=str(folder), hint="name it in the recipe: `source.documents`, `queries`, `qrels`")


def _paths(files: list[tuple[str, Path]]) -> list[Path]:
    return [path for _, path in files]
