"""What verl writes while it runs, as our metrics: its own row of a step, and the answers of it."""

import statistics
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.reward.replay import SAME
from core.rl.verl.rollouts import Answer, Scores
from core.tuning.verl.follow import Lines, Values, renamed
from core.tuning.verl.guest.names import TRUNCATED
from core.tuning.verl.session import HELD_OUT, METRICS, ROLLOUTS

NAMES = {
    "actor/loss": "train/loss",
    "actor/lr": "train/learning_rate",
    "actor/grad_norm": "train/grad_norm",
    "actor/entropy": "train/entropy",
    "actor/kl_loss": "train/kl",
    "actor/reward_kl_penalty": "train/kl",
    "actor/pg_clipfrac": "train/clipped",
    "critic/vf_loss": "train/critic_loss",
    "critic/score/mean": "train/reward",
    "response_length/mean": "train/response_length",
    TRUNCATED: "train/truncated",
    "timing_s/step": "time/step_seconds",
}
"""verl's names of what it measures, and ours."""

STEPPED = "actor/lr"
"""In the row of every step, and in no row of a measurement alone."""


@dataclass
class Measured:
    """What is new, step by step. A step counts when its answers are on disk whole, which verl writes meanwhile."""

    folder: Path
    """Of the session."""
    answers: int
    """In each step."""
    parts: Sequence[Mapping[str, Any]]
    """Of the reward, as its JSON has them."""
    keep: Callable[[int, Sequence[Answer]], None] | None = None
    """Takes the answers of each step."""

    def __post_init__(self) -> None:
        self._lines, self._scores = Lines(self.folder / METRICS), Scores(self.folder)
        self._waiting: list[Mapping[str, Any]] = []

    def __call__(self, over: bool) -> Iterator[tuple[int, Values]]:
        """Steps that are new since the last call."""
        self._waiting += self._lines.new()
        while self._waiting:
            row = self._waiting[0]
            trained = self._dumped(ROLLOUTS, row) if STEPPED in row["data"] else []
            held_out = self._dumped(HELD_OUT, row) if _is_measured(row) else []
            is_whole = trained is not None and held_out is not None
            if not (is_whole or over or len(self._waiting) > 1):
                return
            self._waiting.pop(0)
            yield int(row["step"]), self._values(row, trained or [], held_out or [])

    def _dumped(self, place: str, row: Mapping[str, Any]) -> list[Answer] | None:
        """The answers of a step; None while they are being written."""
        file = self.folder / place / f"{row['step']}.jsonl"
        found = [Answer.of(line) for line in Lines(file).new()]
        least = self.answers if place == ROLLOUTS else 1
        whole = len(found) >= least and file.read_bytes().endswith(b"\n")
        return found if whole else None

    def _values(self, row: Mapping[str, Any], trained: list[Answer], held_out: list[Answer]) -> dict[str, float]:
        step, values = int(row["step"]), renamed(row["data"], NAMES)
        self._scores.look()
        self._scores.find(trained)
        if trained:
            values |= _of_groups(trained) | {f"train/{name}": mean for name, mean in self._means(trained).items()}
            if seconds := values.get("time/step_seconds"):
                values["train/samples_per_second"] = len(trained) / seconds
            if self.keep:
                self.keep(step, trained)
            (self.folder / ROLLOUTS / f"{step}.jsonl").unlink()
        if held_out:
            values |= {f"eval/{name}": mean for name, mean in self._means(held_out).items()}
        return values

    def _means(self, answers: Sequence[Answer]) -> dict[str, float]:
        found: dict[str, list[float]] = defaultdict(list)
        parts = {part["name"]: part for part in self.parts}
        for answer in answers:
            found["reward"].append(answer.score)
            for name, value in answer.numbers.items():
                if name == "score":
                    continue
                found[f"reward/{name}" if name in parts else name].append(value)
                if name in parts and parts[name]["type"] == "format":
                    found["in_form"].append(float(value != parts[name]["bad"]))
        return {name: statistics.fmean(values) for name, values in found.items()}


def _is_measured(row: Mapping[str, Any]) -> bool:
    return any(name.startswith("val-") for name in row["data"])


def _of_groups(answers: Iterable[Answer]) -> dict[str, float]:
    """How much the answers to one prompt differ in what they earn, and all of them."""
    groups: dict[str, list[float]] = defaultdict(list)
    for answer in answers:
        groups[answer.group].append(answer.score)
    scores = [score for group in groups.values() for score in group]
    found = {"train/reward_deviation": statistics.pstdev(scores)}
    several = [group for group in groups.values() if len(group) > 1]
    if several:
        flat = sum(max(group) - min(group) <= SAME for group in several)
        found["train/zero_variance"] = flat / len(several)
    return found
