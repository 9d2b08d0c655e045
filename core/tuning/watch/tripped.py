"""What a watch says."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from core.errors import DrError
from core.recipe.remedies import Line, told

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
