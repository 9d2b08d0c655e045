"""`dr data check` on a training file: how labels and weights are spread, and pairs that contradict each other.

Examples {query, positives, negatives}, graded pairs {query, document, rel, weight}, or rows for fine-tuning and for RL
(`check_rows`); as lines, as one JSON array, or as Parquet. One pass; memory grows by some 50 bytes a pair.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from core import progress
from core.data.check_rows import Rows
from core.data.report import Faults, Report, listed, listed_spread, percentiles, spread
from core.data.seen import Seen
from core.errors import DataError
from core.formats import examples, triples, values, verl
from core.formats.records import records
from core.formats.rows import BadRow, Row
from core.types import Example

PLACES = 3
"""Decimal places to which labels, weights and scores are counted."""


class _Rows(Protocol):
    """Takes the rows of a file one by one, and tells what they were."""

    def take(self, row: Row) -> None: ...

    def facts(self) -> dict[str, Any]: ...

    def table(self) -> Iterator[tuple[str, str]]: ...


def of_folder(folder: Path, files: Mapping[str, Path]) -> Report:
    """Read the training files of a folder.

    Raises:
        DataError: see `inspect`.
    """
    found = {name: inspect(path) for name, path in files.items()}
    facts = {"files": {name: report.facts for name, report in found.items()}}
    table = [row for name, report in found.items() for row in (("file", name), *report.table)]
    return Report(folder, facts, [problem for report in found.values() for problem in report.problems], table)


def inspect(path: Path) -> Report:
    """Read the whole training file at `path`.

    Raises:
        UsageError: there is no such file.
        DataError: it cannot be read at all, or its rows are of no kind that we know.
    """
    faults = Faults()
    rows: _Rows | None = None
    count = 0
    for row in progress.track(records(path, faults), "rows"):
        rows = rows or _kind(row, faults)
        count += 1
        try:
            rows.take(row)
        except BadRow as bad:
            faults(bad)
    if rows is None:
        raise DataError("no row of the file can be read", where=str(path), hint="; ".join(faults.told()))
    facts = {"rows": count, **rows.facts(), "bad_rows": dict(faults.counts)}
    table = [("rows", f"{count:,}"), *rows.table(), ("bad rows", listed(facts["bad_rows"]))]
    return Report(path, facts, faults.told(), table)


def _kind(row: Row, faults: Faults) -> _Rows:
    if "positives" in row.fields:
        return _Examples(faults)
    if "document" in row.fields or "rel" in row.fields:
        return _Triples(faults)
    if "positive_messages" not in row.fields and (kind := verl.kind_of_columns(row.fields, row.where)):
        return Rows(kind, faults)
    there = ", ".join(f"`{name}`" for name in row.fields) or "no field"
    what = f"this is no training row: it has {there}"
    hint = "rows are {query, positives, negatives} or {query, document, rel, weight}, which `dr data convert` makes, "
    hint += "or {messages} and RL rows, which `dr data rows` makes"
    raise DataError(what, where=row.where, hint=hint)


@dataclass
class _Pairs:
    """Which pairs there were, and with which labels."""

    faults: Faults
    queries: Seen = field(default_factory=Seen)
    documents: Seen = field(default_factory=Seen)
    again: int = 0
    """Pairs that stood before with the same label."""
    _pairs: Seen = field(default_factory=Seen)
    _labelled: Seen = field(default_factory=Seen)

    def take(self, query: str, document: str, label: str, where: str) -> None:
        self.queries.add(query)
        self.documents.add(document)
        new_pair = self._pairs.add(f"{query}\0{document}")
        new_label = self._labelled.add(f"{query}\0{document}\0{label}")
        if not new_pair and new_label:
            self.faults.note("conflicting label of the same query and document", where)
        self.again += not new_label

    def facts(self) -> dict[str, int]:
        return {"queries": len(self.queries), "documents": len(self.documents), "exact_duplicates": self.again}

    def table(self) -> Iterator[tuple[str, str]]:
        yield "different queries", f"{len(self.queries):,}"
        yield "different documents", f"{len(self.documents):,}"
        yield "pairs that came before with the same label", f"{self.again:,}"


class _Triples:
    """Graded pairs with weights."""

    def __init__(self, faults: Faults) -> None:
        self._faults, self._pairs = faults, _Pairs(faults)
        self._labels, self._weights = Counter[float](), Counter[float]()

    def take(self, row: Row) -> None:
        if others := row.fields.keys() - set(triples.FIELDS):
            what = f"no such field: {', '.join(sorted(others))}"
            raise BadRow("wrong columns", what, where=row.where)
        query, document = values.query(row), values.document(row, "document")
        if "rel" not in row.fields:
            raise values.missing(row, "rel")
        label = values.number(row.fields["rel"], row, "rel")
        self._labels[round(label, PLACES)] += 1
        if not 0 <= label <= 1:
            self._faults.note("`rel` outside 0 to 1", row.where)
        self._take_weight(row)
        self._pairs.take(query, document, f"{label:g}", row.where)

    def _take_weight(self, row: Row) -> None:
        if "weight" not in row.fields:
            self._faults.note("no `weight`, which counts as 1", row.where)
            return
        weight = values.number(row.fields["weight"], row, "weight")
        self._weights[round(weight, PLACES)] += 1
        if weight < 0:
            self._faults.note("negative `weight`", row.where)

    def facts(self) -> dict[str, Any]:
        spreads = {"labels": spread(self._labels), "weights": spread(self._weights)}
        return {"kind": "triples", **self._pairs.facts(), **spreads}

    def table(self) -> Iterator[tuple[str, str]]:
        yield "kind", "graded pairs"
        yield from self._pairs.table()
        yield "labels (rel)", listed_spread(spread(self._labels))
        if "spread" in spread(self._labels):
            yield "  in tenths, from", listed(_tenths(self._labels))
        yield "weights", listed_spread(spread(self._weights))


class _Examples:
    """Queries with documents that answer them and documents that do not."""

    def __init__(self, faults: Faults) -> None:
        self._pairs = _Pairs(faults)
        self._sides = ("positives", "negatives")
        self._lengths = {side: Counter[int]() for side in self._sides}
        self._scores = {side: Counter[float]() for side in self._sides}

    def take(self, row: Row) -> None:
        example: Example = examples.example(row)
        for side, passages in zip(self._sides, (example.positives, example.negatives), strict=True):
            self._lengths[side][len(passages)] += 1
            for passage in passages:
                self._pairs.take(example.query, passage.contents, side, row.where)
                if passage.score is not None:
                    self._scores[side][round(passage.score, PLACES)] += 1

    def facts(self) -> dict[str, Any]:
        return {
            "kind": "examples",
            **self._pairs.facts(),
            "labels": {side: sum(n * count for n, count in self._lengths[side].items()) for side in self._sides},
            "per_example": {side: percentiles(self._lengths[side]) for side in self._sides},
            "scores": {side: spread(self._scores[side]) for side in self._sides},
        }

    def table(self) -> Iterator[tuple[str, str]]:
        facts = self.facts()
        yield "kind", "examples"
        yield from self._pairs.table()
        for side in self._sides:
            yield side, f"{facts['labels'][side]:,}"
            yield "  of an example", listed(facts["per_example"][side])
            yield "  scores", listed_spread(facts["scores"][side])


def _tenths(labels: Counter[float]) -> dict[str, int]:
    """Labels from 0 to 1 in ten parts, each named by where it begins, without the empty ones; 1 is in the last."""
    found: Counter[int] = Counter()
    for label, count in labels.items():
        if 0 <= label <= 1:
            found[min(int(10 * label), 9)] += count
    return {f"{part / 10:g}": found[part] for part in sorted(found)}
