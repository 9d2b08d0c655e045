"""`dr data check` on rows for fine-tuning and for RL: who speaks, where the questions are from, what is held true."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import orjson

from core.data.report import Faults, listed, percentiles
from core.formats import verl
from core.formats.rows import Row, kind_of

_KINDS: dict[verl.Kind, str] = {
    "rl": "rows for RL",
    "sft": "rows for fine-tuning",
    "question_answer": "rows for fine-tuning: question, answer",
}
_MESSAGES = {"rl": "prompt", "sft": "messages"}


class Rows:
    """Rows of one kind, as a trainer reads them."""

    def __init__(self, kind: verl.Kind, faults: Faults) -> None:
        self._kind, self._faults = kind, faults
        self._roles, self._sources, self._truths = Counter[str](), Counter[str](), Counter[str]()
        self._lengths = Counter[int]()
        self._told: dict[str, str] = {}
        """Column -> what was wrong with it first; so that a broken file gives a line for each column, not each row."""

    def take(self, row: Row) -> None:
        try:
            verl.check_row(self._kind, row)
        except verl.BadColumn as bad:
            self._faults.note(self._told.setdefault(bad.column, bad.what), row.where)
            return
        if name := _MESSAGES.get(self._kind):
            messages = row.fields[name]
            self._lengths[len(messages)] += 1
            self._roles.update(message["role"] for message in messages)
        if self._kind == "rl":
            self._sources[row.fields["data_source"]] += 1
            self._truths[kind_of_truth(row.fields["reward_model"]["ground_truth"])] += 1

    def facts(self) -> dict[str, Any]:
        facts: dict[str, Any] = {"kind": self._kind}
        if self._kind in _MESSAGES:
            facts |= {"roles": dict(self._roles), "messages_per_row": percentiles(self._lengths)}
        if self._kind == "rl":
            facts |= {"data_sources": dict(self._sources), "ground_truths": dict(self._truths)}
        return facts

    def table(self) -> Iterator[tuple[str, str]]:
        yield "kind", _KINDS[self._kind]
        if self._kind in _MESSAGES:
            yield "roles", listed(self._roles)
            yield "  messages of a row", listed(self.facts()["messages_per_row"])
        if self._kind == "rl":
            yield "rows by data_source", listed(self._sources)
            yield "ground truths", listed(self._truths)


def kind_of_truth(truth: str) -> str:
    """What a ground truth is: a number, one letter, a JSON value, or another text."""
    if len(truth) == 1 and truth.isalpha():
        return "a letter"
    try:
        return kind_of(orjson.loads(truth))
    except orjson.JSONDecodeError:
        return "a text"
