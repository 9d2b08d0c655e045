"""What lies in the folder of an interpreter. One that is whole says so in a file written last; a venv cannot be moved
into place when it is finished, so while it is made a second file stands beside it."""

import contextlib
import fcntl
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from core.errors import UsageError

FILE = "dr-env.json"

State = Literal["absent", "half", "whole", "foreign"]


@dataclass(frozen=True)
class Mark:
    """What a whole interpreter says of itself."""

    name: str
    pins: str
    """SHA-256 of the requirements file."""
    python: str
    """Its version."""
    version: str
    """Of the package it is made for."""


def state(folder: Path) -> State:
    """What lies in `folder`: nothing, one that was not finished, a whole one, or something that is not ours."""
    if read(folder):
        return "whole"
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return "absent"
    return "half" if making(folder).exists() and folder.is_dir() else "foreign"


def standing(folder: Path, name: str, pins: str) -> str:
    """In words: how an interpreter for `name`, of the pins with that digest, stands in `folder`."""
    found = read(folder)
    if found is None:
        words = {"absent": "not made", "half": "not finished", "foreign": "not made by dr"}
        return words[state(folder)]
    if found.name != name:
        return f"is for {found.name}"
    return f"{found.version}" if found.pins == pins else f"{found.version}, of other pins"


def read(folder: Path) -> Mark | None:
    """The mark in `folder`; None where there is none that one can read."""
    try:
        return Mark(**json.loads((folder / FILE).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def write(folder: Path, mark: Mark) -> None:
    """Say that `folder` is whole."""
    temporary = folder / f"{FILE}.tmp"
    temporary.write_text(json.dumps(asdict(mark), indent=2) + "\n", encoding="utf-8")
    temporary.replace(folder / FILE)


def making(folder: Path) -> Path:
    """The file that stands beside a folder while it is filled."""
    return folder.with_name(f"{folder.name}.making")


def python(folder: Path) -> Path:
    """The interpreter of `folder`."""
    return folder / "bin" / "python"


@contextlib.contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Be the only one who fills `folder`; what stands beside it stays when the work fails.

    Raises:
        UsageError: another process fills it, or nothing can be written there.
    """
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        handle = making(folder).open("ab")
    except OSError as error:
        raise UsageError(f"cannot write here: {error.strerror}", where=str(folder.parent)) from None
    with handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UsageError("another run is making this now", where=str(folder), hint="wait for it") from None
        yield
        making(folder).unlink(missing_ok=True)
