"""Answers of verl with what they earned, part by part: its own files have the sum, the guest's notes the parts."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from core.rl.rollouts import Rollouts
from core.text.answer import read
from core.tuning.verl.follow import Lines
from core.tuning.verl.session import SCORED

OWN = ("input", "output", "gts", "score", "step", "reward", "uid")
"""Fields of verl's line that are no part of the reward."""


@dataclass
class Answer:
    """An answer of the model."""

    group: str
    """The prompt that it answers, once in a step."""
    number: int
    """Among the answers to it."""
    response: str
    truth: str
    score: float
    numbers: Mapping[str, float]
    """Parts and measures; empty while nobody has noted them."""
    note: Mapping[str, Any] = field(default_factory=dict)
    """What the guest has noted: query, data_source, extra_info."""

    @classmethod
    def of(cls, line: Mapping[str, Any]) -> "Answer":
        """From a line of verl's, which names an answer `<prompt>_<number>_<part>`."""
        group, number, _ = line["uid"].rsplit("_", 2)
        numbers = {name: float(value) for name, value in line.items() if name not in OWN and value is not None}
        return cls(group, int(number), line["output"], line["gts"], float(line["score"]), numbers)


class Scores:
    """The guest's notes of a session."""

    def __init__(self, session: Path) -> None:
        self._folder = session / SCORED
        self._files: dict[Path, Lines] = {}
        # Of the steps before too: answers are scored while others are still being trained on.
        self._now: dict[tuple[str, str], Mapping[str, Any]] = {}
        self._before: dict[tuple[str, str], Mapping[str, Any]] = {}

    def look(self) -> None:
        """Read what is new."""
        new: dict[tuple[str, str], Mapping[str, Any]] = {
            (note["ground_truth"], note["response"]): note
            for path in self._folder.glob("*.jsonl")
            for note in self._files.setdefault(path, Lines(path)).new()
        }
        if new:
            self._before, self._now = self._now, new

    def find(self, answers: Iterable[Answer]) -> None:
        """Tell each answer what was noted of it."""
        for answer in answers:
            key = answer.truth, answer.response
            answer.note = self._now.get(key) or self._before.get(key) or {}
            answer.numbers = answer.numbers or answer.note.get("numbers", {})


class Keeper:
    """Writes the first answers of every logged step to the artifact's rollouts."""

    def __init__(
        self, rollouts: Rollouts, *, number: int, every: int, reward: Mapping[str, Any], last: int | None = None
    ) -> None:
        """`last`: the answers of later steps are not kept."""
        self._rollouts, self._number, self._every, self._reward = rollouts, number, every, reward
        self._last = last

    def __call__(self, step: int, answers: Sequence[Answer]) -> None:
        """Take the answers of a step."""
        is_logged = step == 1 or step % self._every == 0
        if is_logged and (self._last is None or step <= self._last):
            self._rollouts.append(self._line(step, answer) for answer in answers[: self._number])

    def _line(self, step: int, answer: Answer) -> dict[str, Any]:
        parts = [part["name"] for part in self._reward["parts"]]
        found = read(answer.response, key=self._reward["answer_key"], box=tuple(self._reward["box"]))
        return {
            "step": step,
            "group": answer.group,
            "sample": answer.number,
            "query": answer.note.get("query", ""),
            "response": answer.response,
            "ground_truth": answer.truth,
            "data_source": answer.note.get("data_source", ""),
            "extra_info": answer.note.get("extra_info", {}),
            "rewritten": found.query,
            "score": answer.score,
            "parts": {name: answer.numbers[name] for name in parts if name in answer.numbers},
        }
