"""Parts that look at one response at a time and ask nobody."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

from core.reward.sample import Judged, Reading, Value


class Alone(ABC):
    """A part whose value for a response depends on that response only."""

    facts: tuple[str, ...] = ()

    def __init__(self, config: Mapping[str, Any]) -> None:
        self._config = config

    def score(self, batch: Sequence[Reading]) -> list[Judged]:
        """A value for each.

        Raises:
            BadTruth: the part cannot compare with a ground truth.
        """
        return [self._value(reading) for reading in batch]

    @abstractmethod
    def _value(self, reading: Reading) -> Value: ...
