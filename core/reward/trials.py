"""Files of samples and of saved rollouts, in the forms that people, `dr data rows` and verl write. Ours alone.

{"query": "…", "response": "…", "ground_truth": "…"}                     ours; perhaps data_source, extra_info, score
{"input": "…", "output": "…", "gts": "…", "score": 1.0, "step": 3}       verl's `trainer.rollout_data_dir`
data_source, prompt, reward_model {ground_truth}, extra_info {question}  rows of `dr data rows` (Parquet)
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.errors import DataError, UsageError
from core.formats import arrow
from core.formats.rows import BadRow, Row, objects
from core.reward.sample import Sample

_RESPONSE = ("response", "output", "completion", "solution_str")
_TRUTH = ("ground_truth", "gts", "truth")
_QUERY = ("query", "question", "input")


@dataclass(frozen=True, slots=True)
class Trial:
    """A sample, and what a run said of it."""

    sample: Sample
    group: str
    """What the responses to one prompt have in common, and those of another step have not."""
    score: float | None
    """The stored score. None: none is stored."""
    step: int | None
    """The step of the run. None: not told."""


def read(path: Path, response: str | None = None) -> Iterator[Trial]:
    """The trials of a file, or of a folder of JSONL files in the order of their steps.

    `response` stands in for one that a row does not have: rows of a training set have none.

    Raises:
        UsageError: there is no such file, or no file in the folder.
        DataError: a row lacks a response or a ground truth, or is none.
    """
    for file in _files(path):
        for row in arrow.parquet(file) if file.suffix == ".parquet" else objects(file):
            yield _trial(row, response)


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    if files := sorted(path.glob("*.jsonl"), key=lambda file: (len(file.stem), file.stem)):
        return files
    raise UsageError("the folder holds no *.jsonl", where=str(path), hint="verl writes one a step: <step>.jsonl")


def _trial(row: Row, response: str | None) -> Trial:
    fields = row.fields
    extra = fields.get("extra_info")
    extra = extra if isinstance(extra, dict) else {}
    model = fields.get("reward_model")
    inner = model.get("ground_truth") if isinstance(model, dict) else None
    truth = next((fields[name] for name in _TRUTH if fields.get(name) is not None), inner)
    if truth is None:
        raise _lacks(row, "ground truth", _TRUTH)
    said = next((fields[name] for name in _RESPONSE if isinstance(fields.get(name), str)), response)
    if said is None:
        raise _lacks(row, "response", _RESPONSE)
    query = next((fields[name] for name in _QUERY if isinstance(fields.get(name), str)), None)
    query = str(extra.get("question") or _asked(fields.get("prompt"))) if query is None else query
    messages = fields.get("messages")
    sample = Sample(
        query=query,
        response=said,
        truth=truth,
        data_source=str(fields.get("data_source") or ""),
        extra=extra,
        messages=messages if isinstance(messages, list) else (),
        where=row.where,
    )
    step = fields.get("step") if isinstance(fields.get("step"), int) else None
    group = str(fields.get("group", fields.get("input", query)))
    return Trial(sample, f"{step}\0{group}", _score(row), step)


def _asked(prompt: Any) -> str:
    """The last message of a prompt."""
    last = prompt[-1] if isinstance(prompt, list) and prompt else None
    return str(last.get("content") or "") if isinstance(last, dict) else ""


def _score(row: Row) -> float | None:
    score = row.fields.get("score")
    if score is None:
        return None
    if isinstance(score, bool) or not isinstance(score, int | float):
        raise DataError(f"`score` is {score!r}, not a number", where=row.where)
    return float(score)


def _lacks(row: Row, what: str, names: tuple[str, ...]) -> BadRow:
    hint = f"it may be named {', '.join(f'`{name}`' for name in names)}"
    return BadRow("missing text", f"the row has no {what}", where=row.where, row=row.fields, hint=hint)
