"""Original queries against rewritten ones: the queries of both, their hits as one list, the difference in numbers."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson

from core import artifact
from core.errors import ContractError
from core.retrieval.fusion import fuse
from core.retrieval.spec import ReciprocalRank
from core.significance import Comparison, compare, together
from core.types import Hit, Query, Run

ORIGINAL, REWRITTEN, FUSED = "original", "rewritten", "fused"
"""Names of the ways to search."""

PerQuery = Mapping[str, Mapping[str, float]]
"""Query -> measure -> score."""


def texts(folder: Path, queries: Sequence[Query]) -> list[str]:
    """What each query is rewritten to, its first sample.

    Raises:
        ContractError: a query is not among those that were rewritten, or it had other words.
    """
    rows = map(orjson.loads, (folder / "rewrites.jsonl").read_bytes().splitlines())
    found = {row["query_id"]: row for row in rows if row["sample"] == 0}
    _check(folder, "are not among those that were rewritten", [q.id for q in queries if q.id not in found])
    other = [q.id for q in queries if found[q.id]["query"] != q.text]
    _check(folder, "had other words when they were rewritten", other)
    return [found[query.id]["rewritten"] for query in queries]


def _check(folder: Path, what: str, ids: Sequence[str]) -> None:
    if ids:
        shown = ", ".join(repr(id_) for id_ in ids[:3])
        hint = "rewrite the queries of this data and split: `queries: {type: corpus, data: ..., split: ...}`"
        raise ContractError(f"{len(ids)} judged queries {what}: {shown}", where=str(folder), hint=hint)


def facts(folder: Path) -> dict[str, Any]:
    """What the manifest of a rewriting says of its queries."""
    stats = artifact.read(folder, ("rewrite",))["stats"]
    return {name: stats[name] for name in ("queries", "rewrites", "changed", "fallbacks", "fallback_share", "prompts")}


def together_by_rank(original: Run, rewritten: Run, depth: int) -> dict[str, list[Hit]]:
    """Both runs as one, by reciprocal rank; a document that both find high comes first."""
    way = ReciprocalRank(type="rrf")
    return {
        id_: [Hit(*scored) for scored in fuse(hits, rewritten[id_], 0.5, way, depth)] for id_, hits in original.items()
    }


def contrasts(per_query: Mapping[str, PerQuery], seed: int) -> dict[str, dict[str, Comparison]]:
    """Each way against the original queries on each measure, adjusted for their number."""
    original = per_query[ORIGINAL]
    found = {}
    for way, rows in per_query.items():
        for measure in next(iter(original.values())) if way != ORIGINAL else ():
            before, after = ([each[id_][measure] for id_ in original] for each in (original, rows))
            found[way, measure] = compare(before, after, seed=seed)
    # Holm's method looks at all of them, whichever way they are of.
    adjusted = together({"\0".join(key): comparison for key, comparison in found.items()})
    by_way: dict[str, dict[str, Comparison]] = {}
    for (way, measure), comparison in zip(found, adjusted.values(), strict=True):
        by_way.setdefault(way, {})[measure] = comparison
    return by_way
