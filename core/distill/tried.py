"""What failed in earlier runs of the same work, so that a retry asks for it alone and nothing got since is lost."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson

FAILED = "failed.jsonl"
TRIED = "tried.jsonl"
"""Under the logs of an artifact: failed.jsonl of each run before it, one after the other."""


class Tried:
    """Failures, in the order in which they happened."""

    def __init__(self, rows: Iterable[Mapping[str, Any]] = ()) -> None:
        self._attempts: dict[tuple[str, int, str], int] = {}
        self._last: dict[tuple[str, int], int] = {}
        for place, row in enumerate(rows):
            self._attempts[row["document_id"], row["number"], row["step"]] = row["attempts"]
            self._last[row["document_id"], row["number"]] = place

    def attempts(self, document_id: str, number: int, step: str) -> int:
        """Answers that were asked for at a step and could not be used."""
        return self._attempts.get((document_id, number, step), 0)

    def order(self, document_id: str, count: int) -> Sequence[int]:
        """The numbers of a document's queries, from 1, those that failed last, in the order of their last failures.

        A query is told of those before it: in this order one that is got in the end changes no prompt of the others.
        """
        return sorted(range(1, count + 1), key=lambda number: self._last.get((document_id, number), -1))


def read(path: Path) -> Tried:
    """Those of a file; none where there is no file."""
    return Tried(map(orjson.loads, path.read_bytes().splitlines())) if path.exists() else Tried()


def gather(artifact: Path, logs: Path) -> Tried:
    """What failed in a finished artifact and before it; written to the logs of the run that follows it."""
    parts = (artifact / logs.name / TRIED, artifact / FAILED)
    half = logs / f"{TRIED}.half"
    half.write_bytes(b"".join(part.read_bytes() for part in parts if part.exists()))
    half.replace(logs / TRIED)
    return read(logs / TRIED)
