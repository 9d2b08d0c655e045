"""Two finished evaluations side by side: paired, query by query."""

from pathlib import Path
from typing import Any

import orjson

from core import artifact
from core.errors import ContractError, UsageError
from core.eval.names import parse
from core.eval.score import read_scores
from core.significance import Comparison, compare, together


def run(first: Path, second: Path, names: list[str], *, seed: int = 0) -> dict[str, Comparison]:
    """`second` against `first` on each measure, adjusted for their number; all that both have when `names` is empty.

    Raises:
        ContractError: they were not measured on the same queries.
        UsageError: a measure that one of them does not have.
    """
    _check_judgements(first, second)
    rows = [_per_query(path) for path in (first, second)]
    if rows[0].keys() != rows[1].keys():
        only = [sorted(rows[0].keys() - rows[1].keys())[:3], sorted(rows[1].keys() - rows[0].keys())[:3]]
        raise ContractError(
            f"the evaluations have different queries ({len(rows[0])} and {len(rows[1])}): no pairs",
            hint=f"only in the first: {only[0]}; only in the second: {only[1]}",
        )
    means = [read_scores(path)["measures"] for path in (first, second)]
    shared = [name for name in means[0] if name in means[1]]
    names = [_canonical(name) for name in names]
    if unknown := [name for name in names if name not in shared]:
        raise UsageError(f"no measure {', '.join(unknown)} in both evaluations", hint=f"they share {', '.join(shared)}")
    found = {
        name: compare([row[name] for row in rows[0].values()], [rows[1][id_][name] for id_ in rows[0]], seed=seed)
        for name in names or shared
    }
    return together(found)


def _check_judgements(first: Path, second: Path) -> None:
    """Scores against other judgements are no pairs, even where the queries have the same ids."""
    manifests = [artifact.read(path, ("eval",)) for path in (first, second)]
    data, split = ([m["inputs"]["data"]["digest"] for m in manifests], [m["identity"]["split"] for m in manifests])
    if data[0] != data[1] or split[0] != split[1]:
        raise ContractError(
            "the evaluations were measured against different judgements: no pairs",
            hint=f"split {split[0]} of {data[0][:12]}, split {split[1]} of {data[1][:12]}: evaluate one of them again",
        )


def _canonical(name: str) -> str:
    """Our name of a measure, from an alias too."""
    try:
        return str(parse(name))
    except ValueError as error:
        raise UsageError(str(error)) from None


def _per_query(folder: Path) -> dict[str, dict[str, Any]]:
    rows = [orjson.loads(line) for line in (folder / "per_query.jsonl").read_bytes().splitlines()]
    return {row["query_id"]: row for row in rows}
