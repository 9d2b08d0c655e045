"""What a query must be to be kept. Each gate is a reason in rejected.jsonl.

The gates stand in the order of `Reason`; a query is told the first one that it fails. The round trip asks a search
index over the whole corpus, so the drafts pass in batches; memory grows by a number for each query that is kept.
"""

import contextlib
import shutil
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Literal, TypeAlias, get_args

import orjson
import xxhash

from core import artifact
from core.distill.copied import bare, copied
from core.distill.draft import Draft
from core.distill.recipe import Gates
from core.distill.refusals import refusal
from core.errors import ContractError
from core.formats import beir
from core.retrieval import index, store
from core.text.language import language_of
from core.types import Document

Reason: TypeAlias = Literal["empty", "length", "refusal", "language", "copied", "round trip", "duplicate"]
REASONS: tuple[Reason, ...] = get_args(Reason)

REJECTED = "rejected.jsonl"
BATCH = 1000


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the gates say of a draft."""

    draft: Draft
    reason: Reason | None
    """The first gate that it failed; None: it is kept."""
    detail: str = ""
    """What was seen there."""


@contextlib.contextmanager
def opened(data: Path, gates: Gates, folder: Path) -> Iterator["Sieve"]:
    """The gates over the corpus of the artifact `data`; `folder` holds their index meanwhile, and is gone afterwards.

    Raises:
        ContractError: `gates.index` was built from another corpus.
    """
    shutil.rmtree(folder, ignore_errors=True)
    try:
        if gates.index:
            yield _by_index(data, gates, gates.index)
        elif gates.round_trip_k:
            index.build(beir.read_documents(data), gates.bm25, folder)
            found = index.open_index(folder)
            yield Sieve(gates, found.store, found)
        else:
            yield Sieve(gates, store.write(beir.read_documents(data), folder), None)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _by_index(data: Path, gates: Gates, path: Path) -> "Sieve":
    mine, its = artifact.read(data), artifact.read(path, ("index",))
    if mine["files"][beir.CORPUS]["sha256"] != its["stats"]["corpus"]:
        raise ContractError(
            "the round trip asks an index of another corpus than the queries are written for",
            where=str(path),
            hint=f"build one from {data}, or leave `gates.index` out",
        )
    found = index.open_index(path)
    return Sieve(gates, found.store, found)


class Sieve:
    """The gates of one recipe, with what they look at."""

    def __init__(self, gates: Gates, documents: store.DocumentStore, searched: index.OpenIndex | None) -> None:
        self._gates, self._documents, self._index = gates, documents, searched

    def sift(self, drafts: Iterable[Draft]) -> Iterator[Verdict]:
        """A verdict on every draft, in their order; of equal queries the first that passes all else is kept.

        Raises:
            ContractError: a draft is of a document that the corpus does not have.
        """
        kept = set[int]()
        checked = map(self._alone, drafts)
        while batch := list(islice(checked, BATCH)):
            for verdict in self._round_trip(batch):
                if self._gates.duplicates and verdict.reason is None:
                    value = xxhash.xxh3_64_intdigest(bare(verdict.draft.query).encode())
                    if value in kept:
                        yield Verdict(verdict.draft, "duplicate", "an earlier query says the same")
                        continue
                    kept.add(value)
                yield verdict

    def document(self, document_id: str) -> Document:
        """The document with this id.

        Raises:
            ContractError: the corpus does not have it.
        """
        if (number := self._documents.number(document_id)) is None:
            raise ContractError(f"a query is for document `{document_id}`, which the corpus does not have")
        return self._documents.document(number)

    def _alone(self, draft: Draft) -> Verdict:
        """The gates that look at one draft and its document only."""
        for reason, detail in _faults(draft.query, self.document(draft.document_id), self._gates):
            return Verdict(draft, reason, detail)
        return Verdict(draft, None)

    def _round_trip(self, verdicts: Sequence[Verdict]) -> list[Verdict]:
        """The same verdicts; those on queries that do not find their document are now rejections."""
        k = self._gates.round_trip_k
        if self._index is None or k is None:
            return list(verdicts)
        asked = [place for place, verdict in enumerate(verdicts) if verdict.reason is None]
        hits = self._index.search([verdicts[place].draft.query for place in asked], k)
        out = list(verdicts)
        for place, found in zip(asked, hits, strict=True):
            ids = [hit.document_id for hit in found]
            if not self._finds(out[place].draft.document_id, ids):
                best = f", the first one is `{ids[0]}`" if ids else ""
                detail = f"not among the first {k} of {self._index.methods[0]}{best}"
                out[place] = Verdict(out[place].draft, "round trip", detail)
        return out

    def _finds(self, document_id: str, ids: Sequence[str]) -> bool:
        """Whether the document, or one that says exactly the same, is among `ids`."""
        if document_id in ids:
            return True
        contents = self.document(document_id).contents
        return any(self.document(found).contents == contents for found in ids)


def _faults(query: str, document: Document, gates: Gates) -> Iterator[tuple[Reason, str]]:
    """What is wrong with a query that is looked at with its document alone."""
    if not bare(query):
        yield "empty", "no letter and no digit"
    if not gates.min_characters <= (size := len(query.strip())) <= gates.max_characters:
        yield "length", f"{size} characters"
    if gates.refusals and (words := refusal(query)):
        yield "refusal", words
    wanted = gates.language or language_of(document.contents)
    if (seen := language_of(query)) and wanted in {"zh", "en"} and seen != wanted:
        yield "language", f"{seen}, not {wanted}"
    if gates.max_copied is not None and (share := copied(query, document.contents)) > gates.max_copied:
        yield "copied", f"{share:.2f} of it is one span of the document"


def keep(verdicts: Iterable[Verdict], path: Path, counts: Counter[str]) -> Iterator[Draft]:
    """The drafts that are kept; the others are written to `path` and counted by reason.

    A row holds `query_id`, `query`, `document_id`, `reason`, `detail`, and what else is known of the draft.
    """
    with path.open("wb") as file:
        for verdict in verdicts:
            if verdict.reason is None:
                yield verdict.draft
                continue
            counts[verdict.reason] += 1
            file.write(orjson.dumps(_row(verdict), option=orjson.OPT_APPEND_NEWLINE))


def _row(verdict: Verdict) -> dict[str, str]:
    draft = verdict.draft
    return {
        "query_id": draft.query_id,
        "query": draft.query,
        "document_id": draft.document_id,
        "reason": str(verdict.reason),
        "detail": verdict.detail,
        "character": draft.character,
        "question_type": draft.question_type,
        "difficulty": draft.difficulty,
    }
