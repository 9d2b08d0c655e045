"""What a watch says."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from core.errors import DrError
from core.recipe.remedies import Line, told
from core.tracking.record import Row

Action = Literal["warn", "stop"]


@dataclass(frozen=True, slots=True)
class Tripped:
    """Something that a training should not do, and what may help."""

    kind: str
    """The wire, by its field in the recipe."""
    action: Action
    step: int
    sentence: str
    """What was seen, with its figures."""
    remedies: Sequence[Line] = ()
    """Overrides, the first ones first."""
    more: str = ""
    """What no override can mend."""

    @property
    def hint(self) -> str:
        """The remedies in lines."""
        return told(self.remedies, self.more)

    def __str__(self) -> str:
        """For the log, and for `stats["warnings"]`."""
        return f"step {self.step}: {self.sentence}; {self.hint}"

    def error(self) -> DrError:
        """For a training that has nothing worth keeping."""
        return DrError(f"{self.sentence} at step {self.step}", hint=self.hint)


class Watch(Protocol):
    """Sees what is logged, and says what is wrong with it."""

    def see(self, step: int, values: Mapping[str, float]) -> Iterable[Tripped]:
        """Look at the values of a step, those of earlier sessions first."""
        ...

    def end(self, step: int) -> Iterable[Tripped]:
        """Look back at the whole training."""
        ...


def seen(watch: Watch, rows: Iterable[Row]) -> list[Tripped]:
    """What `watch` says of the rows of earlier sessions: it goes on as if there had been one session only."""
    return [word for row in rows for word in watch.see(row.step, row.values)]
