"""`dr data check --against`: what two sets share that an evaluation must not have seen in training."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from core import progress
from core.errors import UsageError
from core.formats import beir, examples, triples
from core.formats.records import records
from core.text.near import Near, exact

LABELS = {"queries": "queries", "documents": "relevant documents"}

SHOWN = 3
"""Cases of each kind that are shown."""


class Text(NamedTuple):
    """A query or a document; rows that were put together may give one id to two texts."""

    id: str
    text: str


@dataclass(frozen=True)
class Side:
    """The queries of a set, and the documents that answer them."""

    name: str
    queries: tuple[Text, ...]
    documents: tuple[Text, ...]


@dataclass
class Shared:
    """Texts of the second side that the first has too."""

    total: int
    """Texts of the second side."""
    exact: int = 0
    """The same but for case, width, punctuation and white space."""
    near: int = 0
    """Near-duplicates that are not exact ones."""
    cases: list[tuple[str, str]] = field(default_factory=list)
    """The first few: id in the second side, id in the first."""

    @property
    def count(self) -> int:
        return self.exact + self.near


@dataclass(frozen=True)
class Leakage:
    """What the second side shares with the first."""

    first: Side
    second: Side
    shared: Mapping[str, Shared]

    def problems(self) -> list[str]:
        """One sentence for each kind that leaks."""
        return [
            f"{found.count:,} of {found.total:,} {LABELS[kind]} of {self.second.name} are in {self.first.name} too "
            f"({found.exact:,} the same, {found.near:,} nearly), such as {_cases(found)}"
            for kind, found in self.shared.items()
            if found.count
        ]

    def as_dict(self) -> dict[str, Any]:
        """For `--json`."""
        shared = {kind: vars(found) for kind, found in self.shared.items()}
        return {"first": self.first.name, "second": self.second.name, "shared": shared}

    def rows(self) -> list[tuple[str, str]]:
        """Label and value of each fact, as a table shows them."""
        return [
            (
                f"{LABELS[kind]} of {self.second.name} in {self.first.name}",
                f"{s.exact:,} exact, {s.near:,} near, of {s.total:,}",
            )
            for kind, s in self.shared.items()
        ]


def between(first: Path, second: Path, *, split: str | None, other_split: str | None, threshold: float) -> Leakage:
    """What `second` shares with `first`: folders in BEIR layout or training files (as `core.data.check_training`).

    A split takes the queries judged in it and the documents that are relevant to them; without one all queries and
    judgements count, and all documents where there are no judgements.

    Raises:
        UsageError: both are the same set and the same split.
        DataError: one of them cannot be read.
    """
    if first.resolve() == second.resolve() and split == other_split:
        hint = "name two splits: --split train --against-split test"
        raise UsageError("a set is compared with itself", where=str(first), hint=hint)
    one, other = _side(first, split), _side(second, other_split)
    shared = {
        "queries": _shared(one.queries, other.queries, threshold, "queries"),
        "documents": _shared(one.documents, other.documents, threshold, "documents"),
    }
    return Leakage(one, other, shared)


def _shared(first: Sequence[Text], second: Sequence[Text], threshold: float, what: str) -> Shared:
    same: dict[int, str] = {}
    near = Near(threshold)
    for place, (key, text) in enumerate(progress.track(first, f"check: hash {what}", len(first))):
        same.setdefault(exact(text), key)
        near.add(f"{place} {key}", text)
    found = Shared(len(second))
    for key, text in progress.track(second, f"check: compare {what}", len(second)):
        if (other := same.get(exact(text))) is not None:
            found.exact += 1
        elif like := near.like(text):
            found.near, other = found.near + 1, like[0].partition(" ")[2]
        else:
            continue
        if len(found.cases) < SHOWN:
            found.cases.append((key, other))
    return found


def _side(path: Path, split: str | None) -> Side:
    if path.is_file():
        if split:
            raise UsageError(f"a file has no split `{split}`", where=str(path))
        return _of_rows(path)
    queries = {query.id: query.text for query in beir.read_queries(path)} if (path / beir.QUERIES).exists() else {}
    splits = [split] if split else beir.splits(path)
    judged = [beir.read_qrels(path, name) for name in splits]
    asked = {query_id for of_split in judged for query_id in of_split}
    relevant = {d for of_split in judged for grades in of_split.values() for d, grade in grades.items() if grade > 0}
    return Side(
        f"{path} ({split})" if split else str(path),
        tuple(Text(key, text) for key, text in queries.items() if key in asked or not judged),
        tuple(_documents(path, relevant if judged else None)),
    )


def _documents(path: Path, wanted: set[str] | None) -> Iterator[Text]:
    for document in beir.read_documents(path):
        if wanted is None or document.id in wanted:
            yield Text(document.id, document.contents)


def _of_rows(path: Path) -> Side:
    """The queries of a training file, and the documents that answer them: of graded pairs those above 0."""
    queries: dict[Text, None] = {}
    documents: dict[Text, None] = {}
    for number, row in enumerate(records(path), start=1):
        if "rel" in row.fields:
            pair = triples.pair(row)
            query, answers = Text(f"row {number}", pair.query), [Text(f"row {number}", pair.document)][: pair.label > 0]
        else:
            example = examples.example(row)
            query = Text(example.query_id or f"row {number}", example.query)
            answers = [
                Text(passage.id or f"row {number}, positive {place}", passage.contents)
                for place, passage in enumerate(example.positives, start=1)
            ]
        queries[query] = None
        documents |= dict.fromkeys(answers)
    return Side(str(path), tuple(queries), tuple(documents))


def _cases(found: Shared) -> str:
    return ", ".join(f"`{mine}` (there `{its}`)" if mine != its else f"`{mine}`" for mine, its in found.cases)
