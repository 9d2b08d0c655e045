"""Sets whose queries carry their documents: processed folders, and Tevatron's training rows."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from core.data.seen import Seen
from core.errors import UsageError
from core.formats import judged, table
from core.formats.jsonl import convert
from core.formats.qrels import SPLITS, Judgement
from core.formats.rows import BadRow, Found, OnBad, Row, objects
from core.types import Document, Query

CORPUS = "corpus.jsonl"


@dataclass(frozen=True)
class JudgedQueries:
    """Files of queries with their documents, each of a split; documents in files of their own, or in those rows."""

    splits: Sequence[tuple[str, Path]]
    document_files: Sequence[Path] = ()

    def documents(self, on_bad: OnBad) -> Iterator[Found[Document]]:
        for path in self.document_files:
            yield from convert(objects(path, on_bad), table.document, on_bad)
        if not self.document_files:
            yield from self._passages(on_bad)

    def queries(self, on_bad: OnBad) -> Iterator[Found[Query]]:
        for _, path in self.splits:
            yield from convert(objects(path, on_bad), judged.query, on_bad)

    def judgements(self, on_bad: OnBad) -> Iterator[Judgement]:
        for split, path in self.splits:
            for row in objects(path, _told_before):
                if not _is_query(row):
                    continue
                try:
                    found = list(judged.judgements(row, split))
                except BadRow as bad:
                    on_bad(bad)
                    continue
                yield from found

    def _passages(self, on_bad: OnBad) -> Iterator[Found[Document]]:
        """The documents in the rows; one that stands in many rows comes once, where its text is the same."""
        ids, whole = Seen(), Seen()
        for _, path in self.splits:
            for row in objects(path, _told_before):
                try:
                    found = list(judged.passages(row))
                except BadRow as bad:
                    on_bad(bad)
                    continue
                for passage in found:
                    item = passage.item
                    if whole.add(f"{item.id}\0{item.contents}"):
                        if not ids.add(item.id):
                            what = f"the document id `{item.id}` is used before, with another text"
                            on_bad(BadRow("duplicate id", what, where=passage.where, row=item.contents))
                            continue
                        yield passage


def processed(folder: Path) -> JudgedQueries:
    """A processed folder: corpus.jsonl beside train.jsonl, dev.jsonl, test.jsonl, as many of them as there are.

    Raises:
        UsageError: no such folder.
    """
    if not folder.is_dir():
        raise UsageError("there is no such folder", where=str(folder), hint="it holds corpus.jsonl and train.jsonl")
    splits = [(name, folder / f"{name}.jsonl") for name in SPLITS if (folder / f"{name}.jsonl").exists()]
    return JudgedQueries(splits, [folder / CORPUS])


def _told_before(bad: BadRow) -> None:
    """A row that is bad as a whole was told with the queries."""


def _is_query(row: Row) -> bool:
    try:
        judged.query(row)
    except BadRow as bad:
        _told_before(bad)
        return False
    return True
