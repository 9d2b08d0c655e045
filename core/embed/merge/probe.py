"""The texts on which a merged model is compared with its adapter and its base."""

from itertools import islice
from pathlib import Path
from typing import Any

from core.formats import rows

HELD_OUT = "held_out.jsonl"

SENTENCES = (
    "How high are the management fees of the fund?",
    "The annual report lists revenue, costs and the dividend for every share.",
    "A short text.",
    "基金的单位净值是多少？",
    "公司年度报告披露了营业收入、成本以及每股股息。",
    "投资者适当性管理办法",
)
"""For a training that kept nothing back."""


def texts(training: Path, count: int) -> list[str]:
    """Up to `count` distinct texts that the training in the artifact `training` was not shown, in its order."""
    path = training / HELD_OUT
    if not path.is_file() or not path.stat().st_size:
        return list(SENTENCES[:count])
    found = (text for row in rows.objects(path) for text in _texts(row.fields))
    return list(islice(dict.fromkeys(found), count)) or list(SENTENCES[:count])


def _texts(fields: dict[str, Any]) -> list[str]:
    values = (fields.get(name) for name in ("query", "document"))
    return [value for value in values if isinstance(value, str) and value.strip()]
