"""What a distilled set is made of: kinds and their balance, lengths, copying, and what was turned away and why."""

import math
import random
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from core import artifact
from core.distill.copied import copied
from core.distill.gates import REJECTED
from core.distill.recipe import DIFFICULTIES, QUESTION_TYPES
from core.distill.tried import FAILED
from core.errors import DataError
from core.formats import beir
from core.formats.rows import objects
from core.types import Query

FACETS = ("question_type", "difficulty", "character")
"""Fields of a query's metadata whose spread is told."""

KNOWN = {"question_type": set[str](QUESTION_TYPES), "difficulty": set[str](DIFFICULTIES)}

TOP = 10
"""Values of a facet that are told; the others are summed up."""

PERCENTILES = (0, 25, 50, 75, 100)


@dataclass(frozen=True)
class Facet:
    """How the queries spread over the values of one field."""

    counts: dict[str, int]
    """The most frequent values with their numbers of queries."""
    others: int
    """Queries with a value that is not among `counts`."""
    values: int
    """Different values."""
    balance: float | None
    """Entropy over that of an even spread: 1 is even, 0 is all of one value. None: there is one value to have."""


@dataclass(frozen=True)
class Audit:
    """The whole report."""

    queries: int
    documents: int
    """Documents with a query."""
    facets: dict[str, Facet]
    examples: dict[str, list[dict[str, str]]]
    """Some queries of each question type, drawn at random: query, document, character, difficulty."""
    characters: dict[str, float]
    """Characters of a query at these percentiles."""
    copied: dict[str, float]
    """Longest span shared with the document, as a share of the query, at these percentiles."""
    drafts: int
    """Queries that came to the gates: those kept and those rejected."""
    rejected: dict[str, int]
    """Rejected queries by reason."""
    failed: dict[str, int]
    """Documents or questions that gave no query, by reason."""

    def as_dict(self) -> dict[str, Any]:
        """For `--json`."""
        rates = {reason: count / self.drafts for reason, count in self.rejected.items()}
        return {**asdict(self), "rejection_rates": rates}


def inspect(folder: Path, *, examples: int = 2, seed: int = 0) -> Audit:
    """Look through an artifact of `dr distill run`.

    Raises:
        ArtifactError: `folder` is no such artifact.
        DataError: it holds no query.
    """
    artifact.read(folder, ("distill",))
    queries = beir.read_queries(folder) if (folder / beir.QUERIES).exists() else []
    rejected, failed = _reasons(folder / REJECTED), _reasons(folder / FAILED)
    if not queries:
        told = ", ".join(f"{count} × {reason}" for reason, count in (rejected + failed).most_common())
        raise DataError(f"no query was kept ({told or 'none was written'})", where=str(folder))
    facets = {name: facet([str(query.metadata.get(name, "")) for query in queries], KNOWN.get(name)) for name in FACETS}
    return Audit(
        queries=len(queries),
        documents=len({query.metadata.get("document") for query in queries}),
        facets={name: found for name, found in facets.items() if set(found.counts) != {""}},
        examples=_examples(queries, examples, random.Random(seed)),  # noqa: S311 - no secret hangs on it
        characters=percentiles([len(query.text) for query in queries]),
        copied=percentiles(_copied(folder, queries)),
        drafts=len(queries) + rejected.total(),
        rejected=dict(rejected.most_common()),
        failed=dict(failed.most_common()),
    )


def facet(values: Sequence[str], known: set[str] | None = None) -> Facet:
    """The spread of `values`; `known` are all those that could be, where they are all there is."""
    counted = Counter(values)
    top = counted.most_common(max(TOP, len(known or ())))
    possible = len(known) if known and counted.keys() <= known else len(counted)
    shares = [count / len(values) for count in counted.values()]
    entropy = -sum(share * math.log(share) for share in shares)
    return Facet(
        counts=dict(top),
        others=len(values) - sum(count for _, count in top),
        values=len(counted),
        balance=entropy / math.log(possible) if possible > 1 else None,
    )


def percentiles(values: Iterable[float]) -> dict[str, float]:
    """Least, quartiles and most of `values`, which are not none; the lower of two middle ones."""
    ordered = sorted(values)
    return {str(share): ordered[(len(ordered) - 1) * share // 100] for share in PERCENTILES}


def _reasons(path: Path) -> Counter[str]:
    """How often each `reason` stands in a file of rows; none when there is no file or it is empty."""
    if not path.exists() or not path.stat().st_size:
        return Counter()
    return Counter(str(row.fields.get("reason", "not told")) for row in objects(path))


def _examples(queries: Sequence[Query], number: int, rng: random.Random) -> dict[str, list[dict[str, str]]]:
    of_type: dict[str, list[Query]] = {}
    for query in queries:
        of_type.setdefault(str(query.metadata.get("question_type", "")), []).append(query)
    return {name: [_example(q) for q in rng.sample(of, min(number, len(of)))] for name, of in sorted(of_type.items())}


def _example(query: Query) -> dict[str, str]:
    told = {name: str(query.metadata.get(name, "")) for name in ("document", "character", "difficulty")}
    return {"query": query.text, **told}


def _copied(folder: Path, queries: Sequence[Query]) -> Iterator[float]:
    """The copied share of each query, in the order of the documents."""
    of_document: dict[str, list[str]] = {}
    for query in queries:
        of_document.setdefault(str(query.metadata.get("document", "")), []).append(query.text)
    for document in beir.read_documents(folder):
        yield from (copied(query, document.contents) for query in of_document.get(document.id, ()))
