"""The records of scoring: what comes in, what a part says, what goes out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from core.remote.faults import ServiceFailed
from core.text.answer import Answer, Form


@dataclass(frozen=True, slots=True)
class Sample:
    """One response of a model, with what it was asked and what is right."""

    query: str
    """What was asked, without the prompt around it."""
    response: str
    """What the model wrote, as the trainer decodes it."""
    truth: Any
    """The ground truth: JSON text, plain text, or what such JSON holds."""
    data_source: str = ""
    """Which set the row is from."""
    extra: Mapping[str, Any] = field(default_factory=dict)
    """verl's `extra_info`: split, index, and what some parts ask for."""
    messages: Sequence[Mapping[str, Any]] = ()
    """The turns with their tool calls, where the trainer keeps them."""
    where: str = ""
    """Its place, such as `samples.jsonl:3`."""


@dataclass(frozen=True, slots=True)
class Reading:
    """A sample with its response read."""

    sample: Sample
    answer: Answer
    form: Form


@dataclass(frozen=True, slots=True)
class Value:
    """What a part says of a sample."""

    score: float
    why: str = ""
    """In few words."""
    facts: Mapping[str, float] = field(default_factory=dict)
    """Measures beside the score; the same keys for every sample."""


Judged = Value | ServiceFailed
"""A value, or why this sample has none."""


class Part(Protocol):
    """One part of a reward; batch first, so that services are asked together."""

    facts: tuple[str, ...]
    """Keys of the measures beside its score."""

    def score(self, batch: Sequence[Reading]) -> list[Judged]:
        """A value for each, in order.

        Raises:
            ServiceFailed: a service is gone.
            ContractError: the ground truth or a service does not fit.
        """
        ...


@dataclass(frozen=True, slots=True)
class Scored:
    """What a sample earned."""

    total: float | None
    """Sum of the weighted parts; None: left out, see `excluded`."""
    parts: dict[str, float]
    """Every part before its weight, by name, in the recipe's order; 0 for one that was not asked."""
    facts: dict[str, float]
    """Measures beside the parts, `<part>/<measure>`; always the same keys."""
    why: dict[str, str]
    """Part -> few words, where there is something to say."""
    query: str | None
    """The query that was read out of the response."""
    excluded: str = ""
    """Why there is no total."""

    def as_numbers(self) -> dict[str, float]:
        """One flat mapping of numbers with the same keys for every sample: trainers average each key over a batch.

        Raises:
            ValueError: the sample was left out and has no score.
        """
        if self.total is None:
            raise ValueError(f"a sample that was left out has no score: {self.excluded}")
        return {"score": self.total, **self.parts, **self.facts}
