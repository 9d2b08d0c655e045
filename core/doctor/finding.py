"""One line of the doctor's report."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Finding:
    """What was looked at, how it stands, and what to do about it."""

    name: str
    state: Literal["ok", "missing", "warning"]
    seen: str
    costs: str = ""
    """What one cannot do without it; empty when it is ok."""
    fix: str = ""
    """The line that fixes it; empty when it is ok."""
    required: bool = False
    """Without it `dr` does not work: the doctor fails when it is not ok."""

    @property
    def failed(self) -> bool:
        return self.required and self.state != "ok"
