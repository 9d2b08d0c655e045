"""`dr data check --against`: what two sets share that an evaluation must not have seen in training."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from core import progress
from core.errors import UsageError
from core.formats import beir, examples
from core.text.near import Near, exact

SHOWN = 3
"""Cases of each kind that are shown."""


@dataclass(frozen=True)
class Side:
    """The queries of a set, and the documents that answer them."""

    name: str
    queries: Mapping[str, str]
    documents: Mapping[str, str]


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
            f"{found.count:,} of {found.total:,} {kind} of {self.second.name} are in {self.first.name} too "
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
                f"{kind} of {self.second.name} in {self.first.name}",
                f"{s.exact:,} exact, {s.near:,} near, of {s.total:,}",
            )
            for kind, s in self.shared.items()
        ]


def between(first: Path, second: Path, *, split: str | None, other_split: str | None, threshold: float) -> Leakage:
    """What `second` shares with `first`: folders in BEIR layout or files of examples.

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


def _shared(first: Mapping[str, str], second: Mapping[str, str], threshold: float, what: str) -> Shared:
    same: dict[int, str] = {}
    near = Near(threshold)
    for key, text in progress.track(first.items(), f"check: hash {what}", len(first)):
        same.setdefault(exact(text), key)
        near.add(key, text)
    found = Shared(len(second))
    for key, text in progress.track(second.items(), f"check: compare {what}", len(second)):
        if (other := same.get(exact(text))) is not None:
            found.exact += 1
        elif like := near.like(text):
            found.near, other = found.near + 1, like[0]
        else:
            continue
        if len(found.cases) < SHOWN:
            found.cases.append((key, other))
    return found


def _side(path: Path, split: str | None) -> Side:
    if path.is_file():
        if split:
            raise UsageError(f"a file has no split `{split}`", where=str(path))
        return _of_examples(path)
    queries = {query.id: query.text for query in beir.read_queries(path)} if (path / beir.QUERIES).exists() else {}
    splits = [split] if split else beir.splits(path)
    judged = [beir.read_qrels(path, name) for name in splits]
    asked = {query_id for of_split in judged for query_id in of_split}
    relevant = {d for of_split in judged for grades in of_split.values() for d, grade in grades.items() if grade > 0}
    return Side(
        f"{path.name}/{split}" if split else path.name,
        {key: text for key, text in queries.items() if key in asked or not judged},
        dict(_documents(path, relevant if judged else None)),
    )


def _documents(path: Path, wanted: set[str] | None) -> Iterator[tuple[str, str]]:
    for document in beir.read_documents(path):
        if wanted is None or document.id in wanted:
            yield document.id, document.contents


def _of_examples(path: Path) -> Side:
    queries, documents = {}, {}
    for number, example in enumerate(examples.read(path), start=1):
        queries[example.query_id or f"row {number}"] = example.query
        for place, passage in enumerate(example.positives, start=1):
            documents[passage.id or f"row {number}, positive {place}"] = passage.contents
    return Side(path.name, queries, documents)


def _cases(found: Shared) -> str:
    return ", ".join(f"`{mine}` (there `{its}`)" if mine != its else f"`{mine}`" for mine, its in found.cases)
