"""The commands that make an interpreter, as plain data."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from core.environment.known import Environment
from core.environment.mark import python
from core.process import Command

TORCH_FOR_CPUS = "https://download.pytorch.org/whl/cpu"
"""PyTorch's own index: PyPI has the builds for GPUs only, and calls none of its versions `+cpu`."""

_BUILT_FOR_CPUS = re.compile(r"^\S+==\S+\+cpu$", re.MULTILINE)


@dataclass(frozen=True)
class Step:
    """A command, and another to try when it fails."""

    what: str
    command: Command
    otherwise: Command | None = None


def steps(
    environment: Environment, folder: Path, base: str, uv: str | None, variables: Mapping[str, str] = os.environ
) -> list[Step]:
    """What fills `folder`, which may hold something that is to go. `base`: the Python; `uv`: its program, if any."""
    tool = _Uv(uv, variables) if uv else _Pip()
    pins = environment.pins
    text = pins.read_text(encoding="utf-8")
    first = tuple(_BUILT_FOR_CPUS.findall(text))
    alone = ("--no-deps",) if environment.whole else ()
    found = [Step("making an empty environment", tool.empty(folder, base))]
    if first:
        asked = tool.install(folder, "--no-deps", *first)
        elsewhere = tool.install(folder, "--no-deps", "--extra-index-url", TORCH_FOR_CPUS, *first)
        found.append(Step(f"installing {' '.join(first)}", asked, elsewhere))
    packages = sum(1 for line in text.splitlines() if "==" in line and not line.startswith("#"))
    found.append(Step(f"installing {packages} packages", tool.install(folder, *alone, "-r", str(pins))))
    return found


# An inherited PYTHONPATH would show packages that are not in the environment as installed.
CLEAN = {"PYTHONPATH": ""}


class _Pip:
    def empty(self, folder: Path, base: str) -> Command:
        return Command((base, "-m", "venv", "--clear", str(folder)), CLEAN)

    def install(self, folder: Path, *what: str) -> Command:
        pip = (str(python(folder)), "-m", "pip", "install", "--no-input", "--disable-pip-version-check")
        return Command((*pip, *what), CLEAN)


_SETTINGS = {
    "UV_DEFAULT_INDEX": "PIP_INDEX_URL",
    "UV_INDEX": "PIP_EXTRA_INDEX_URL",
    "UV_FIND_LINKS": "PIP_FIND_LINKS",
    "SSL_CERT_FILE": "PIP_CERT",
}
"""uv's words for pip's settings. It knows nothing of pip's variables, nor of its files."""


class _Uv:
    """Asks the same mirror as pip where a variable names one for pip only."""

    def __init__(self, program: str, variables: Mapping[str, str]) -> None:
        self._program, self._env = program, dict(CLEAN)
        for uvs, pips in _SETTINGS.items():
            if variables.get(pips) and uvs not in variables:
                # pip separates by blanks, uv links by commas
                between = "," if uvs == "UV_FIND_LINKS" else " "
                self._env[uvs] = between.join(variables[pips].split())

    def empty(self, folder: Path, base: str) -> Command:
        return Command((self._program, "venv", "--clear", "--python", base, str(folder)), self._env)

    def install(self, folder: Path, *what: str) -> Command:
        return Command((self._program, "pip", "install", "--python", str(python(folder)), *what), self._env)
