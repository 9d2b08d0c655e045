"""A check in a process of its own: it loads what trains, and the command line does not."""

import json
import logging
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from core import worker
from core.errors import DrError, ProcessFailed
from core.process import TAIL, Command
from core.recipe import BaseRecipe

SEEN = "seen.json"
LOG = "check.log"
WARNING = "warning: "
"""What a line begins with that tells of something doubtful."""


def run(module: str, recipe: BaseRecipe) -> list[str]:
    """What `python -m module`, which calls `main`, saw of the recipe, a line each.

    Raises:
        DrError: what it raised, with its sentence and exit code.
        ProcessFailed: it ended without a word.
    """
    with tempfile.TemporaryDirectory(prefix="dr-check-") as name:
        folder = Path(name)
        log = folder / LOG
        command = Command((sys.executable, "-m", module, name), env={"TOKENIZERS_PARALLELISM": "false"})
        try:
            worker.run(command, folder, recipe.model_dump(mode="json"), log)
        except DrError as failed:
            if failed.where != str(log):
                if failed.where:  # the rows that were mixed for the check go with it
                    failed.where = failed.where.replace(f"{folder}{os.sep}", "")
                raise
            last = log.read_text(encoding="utf-8", errors="replace").splitlines()[-TAIL:]  # the log goes with us
            what = "the check ended without a word of its own; its last words:"
            raise ProcessFailed("".join([what, *(f"\n  | {line}" for line in last)])) from None
        return list(json.loads((folder / SEEN).read_text(encoding="utf-8")))


def main(look: Callable[[dict[str, Any], Path], Iterator[str]]) -> int:
    """The process: `look(recipe, scratch)` says what it sees; what is logged as a warning meanwhile is a line too."""
    lines: list[str] = []

    def work(given: dict[str, Any], folder: Path) -> None:
        logging.getLogger("core").addHandler(_Warnings(lines))
        lines.extend(look(given, folder))
        (folder / SEEN).write_text(json.dumps(lines), encoding="utf-8")

    return worker.main(work, Path(sys.argv[1]))


class _Warnings(logging.Handler):
    def __init__(self, lines: list[str]) -> None:
        super().__init__(logging.WARNING)
        self._lines = lines

    def emit(self, record: logging.LogRecord) -> None:
        self._lines.append(f"{WARNING}{record.getMessage()}")
