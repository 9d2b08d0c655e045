"""What a tracker of somebody else is to us."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from core.errors import Missing


@dataclass(frozen=True)
class Run:
    """What a tracker is told of a run when it starts to follow it."""

    id: str
    """Made once for an artifact; a resumed run has the same."""
    name: str
    project: str
    recipe: Mapping[str, Any]
    """Fields of the resolved recipe, shown on the board."""
    folder: Path
    """The only place to write to."""
    resumed: bool


class Backend(Protocol):
    """Takes what is measured. What it cannot take it says on stderr; the local record is the one that counts."""

    def log(self, values: Mapping[str, float], step: int) -> None:
        """Values of one step."""
        ...

    def summary(self, values: Mapping[str, float]) -> None:
        """Values of the whole run."""
        ...


def refused(service: str, error: Exception, key: str) -> Missing:
    """The service does not start; its reason without the secret that the environment variable `key` holds."""
    reason = " ".join(without_secret(str(error), key).split())
    hint = f"set {key} to a valid key and look at the network, or take `mode: offline`"
    return Missing(f"{service} does not start: {reason}", hint=hint)


def without_secret(text: str, key: str) -> str:
    """`text` with the name of the environment variable `key` for its value."""
    secret = os.environ.get(key)
    return text.replace(secret, f"${key}") if secret else text
