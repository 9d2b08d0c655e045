"""rollouts.jsonl: answers with what they earned, as `dr reward replay` reads them."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from core.reward.sample import Sample, Scored


def row(group: str, number: int, sample: Sample, scored: Scored) -> dict[str, Any]:
    """A line: the `number`th answer to the prompt `group`. The score of one that is left out is null."""
    line = {
        "group": group,
        "sample": number,
        "query": sample.query,
        "response": sample.response,
        "ground_truth": sample.truth,
        "data_source": sample.data_source,
        "extra_info": sample.extra,
        "rewritten": scored.query,
        "score": scored.total,
        "parts": scored.parts,
    }
    return {**line, "messages": list(sample.messages)} if sample.messages else line


class Rollouts:
    """The writing end; a session that goes on from a step does the later ones again, so they are taken out."""

    def __init__(self, path: Path, done: int) -> None:
        """`done`: steps that are behind the session."""
        self._path = path
        _keep(path, done)

    def append(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Some lines, in the hands of the operating system when this returns."""
        with self._path.open("a", encoding="utf-8") as file:
            file.writelines(json.dumps(row, ensure_ascii=False, default=str) + "\n" for row in rows)


def _keep(path: Path, done: int) -> None:
    """Leave the whole lines of the first `done` steps."""
    if not path.exists():
        return
    partial = path.with_name(f"{path.name}.partial")
    with path.open("rb") as old, partial.open("wb") as new:
        new.writelines(line for line in old if line.endswith(b"\n") and json.loads(line)["step"] <= done)
    partial.replace(path)
