"""The ground truth of a row, in the forms that rows have it: ours (`dr data rows`), DeepRetrieval's, plain text."""

import json
from typing import Any

from core.reward.faults import BadTruth
from core.reward.quantity import Quantity
from core.reward.sample import Sample

HINT = "`dr data rows` writes rows with a ground truth that fits their kind"


def documents(sample: Sample) -> dict[str, float]:
    """Relevant documents with their grades: `{"d1": 2}`, `["d1"]`, `{"target": [...], "score": [...]}`, or one id.

    Raises:
        BadTruth: none is relevant, or it is none of these.
    """
    value = _parsed(sample.truth)
    if isinstance(value, dict) and "target" in value:
        ids, grades = _plain(value["target"]), _plain(value.get("score"))
        if isinstance(grades, list) and isinstance(ids, list) and len(grades) == len(ids):
            value = dict(zip(map(str, ids), grades, strict=True))
        else:
            value = ids
    if isinstance(value, str | int) and not isinstance(value, bool):
        value = [value] if str(value).strip() else []
    if isinstance(value, list):
        value = {str(id_): 1.0 for id_ in value}
    if not isinstance(value, dict) or any(isinstance(g, bool | str | list | dict) for g in value.values()):
        raise _bad(sample, "is no set of documents with grades")
    # Parquet gives every row the ids of all rows, with null for a grade.
    relevant = {str(id_): float(grade) for id_, grade in value.items() if grade is not None and float(grade) > 0}
    if not relevant:
        raise _bad(sample, "names no relevant document")
    return relevant


def is_empty(sample: Sample) -> bool:
    """Whether nothing is known to be right."""
    value = _parsed(sample.truth)
    return value is None or (isinstance(value, str | list | dict) and not value)


def answers(sample: Sample) -> list[str]:
    """True answers, each of them right: a text, a list, `{"target": …}`, `{"answers": …}`.

    Raises:
        BadTruth: there is none.
    """
    value = _parsed(sample.truth)
    if isinstance(value, dict):
        value = next((value[name] for name in ("target", "answers", "answer") if name in value), None)
    value = _plain(value)
    found = [str(item).strip() for item in (value if isinstance(value, list) else [value]) if item is not None]
    if not any(found):
        raise _bad(sample, "names no answer")
    return [answer for answer in found if answer]


def quantity(sample: Sample) -> Quantity | None:
    """The number that is the answer: `{"number": 3.2, "scale": "亿", "unit": "元"}`; None: it is no such object."""
    match _parsed(sample.truth):
        case {"number": int() | float() as number, **more} if not isinstance(number, bool):
            return Quantity.named(number, str(more.get("scale") or ""), str(more.get("unit") or ""))
    return None


def sql(sample: Sample) -> tuple[str, str]:
    """The true query, and the id of its database; empty: there is one database for all.

    Raises:
        BadTruth: there is no query.
    """
    value = _parsed(sample.truth)
    fields = value if isinstance(value, dict) else {"sql": value}
    query = next((fields[name] for name in ("sql", "query", "target", "SQL") if fields.get(name)), None)
    if not isinstance(query, str) or not query.strip():
        raise _bad(sample, "holds no SQL")
    return query, str(fields.get("db_id") or sample.extra.get("db_id") or "")


def text(sample: Sample) -> str:
    """The ground truth as a judge reads it."""
    value = quantity(sample)
    return str(value) if value else "; ".join(answers(sample))


def _parsed(truth: Any) -> Any:
    """JSON text as what it holds, where that is an object or a list; anything else as it is."""
    truth = _plain(truth)
    if not isinstance(truth, str):
        return truth
    try:
        value = json.loads(truth)
    except (ValueError, RecursionError):
        return truth
    return value if isinstance(value, dict | list) else truth


def _plain(value: Any) -> Any:
    """A trainer's arrays as lists."""
    return value.tolist() if hasattr(value, "tolist") else list(value) if isinstance(value, tuple) else value


def _bad(sample: Sample, what: str) -> BadTruth:
    shown = str(sample.truth)
    return BadTruth(
        f"the ground truth {what}: {shown[:120]!r}", where=sample.where or sample.data_source or None, hint=HINT
    )
