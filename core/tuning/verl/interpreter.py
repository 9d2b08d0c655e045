"""What is installed in verl's interpreter, asked before any work."""

import json
import logging
from dataclasses import dataclass
from pathlib import Path

from core import process
from core.errors import Missing, ProcessFailed, RecipeError
from core.tuning.spec import Verl
from core.tuning.verl.guest.names import RELEASE

log = logging.getLogger(__name__)

HINT = "`dr env create verl` makes one; trainer.python=PATH names another"

ANSWER_SECONDS = 120
"""How long an interpreter on a slow disk may take to start."""

_PACKAGES = ("verl", "torch", "ray", "vllm", "sglang", "liger-kernel", "flash-attn")

# Reads what is installed and imports none of it.
_ASK = """
import json
from importlib.metadata import PackageNotFoundError, version
found = {}
for name in %r:
    try:
        found[name] = version(name)
    except PackageNotFoundError:
        pass
print(json.dumps(found))
"""

_COUNT = "import torch; print(torch.cuda.device_count())"


@dataclass(frozen=True)
class Interpreter:
    """An interpreter that has verl."""

    python: Path
    packages: dict[str, str]
    """Name -> release, of those that matter."""

    @property
    def release(self) -> str:
        """verl's."""
        return self.packages["verl"]

    def has(self, package: str) -> bool:
        """Whether it is installed."""
        return package in self.packages

    def need(self, package: str, wants: str, otherwise: str) -> None:
        """Raises Missing where a `package` is not installed that the field `wants` needs."""
        if not self.has(package):
            what = f"`{wants}` needs {package}, which verl's interpreter does not have"
            raise Missing(what, where=str(self.python), hint=f"install it there, or {otherwise}")

    def gpus(self) -> int:
        """GPUs of this machine that its torch sees."""
        return int(process.ask((str(self.python), "-c", _COUNT), timeout_seconds=ANSWER_SECONDS).splitlines()[-1])


def ask(trainer: Verl) -> Interpreter:
    """What there is.

    Raises:
        Missing: there is no interpreter, or it has no verl.
        RecipeError: the recipe is to run without a GPU, and our part of that is not made for its verl.
    """
    python = trainer.python.absolute()
    try:
        told = process.ask((str(python), "-c", _ASK % (_PACKAGES,)), timeout_seconds=ANSWER_SECONDS)
        packages = json.loads(told.splitlines()[-1])
    except (Missing, ProcessFailed, ValueError, IndexError) as error:
        why = error.what if isinstance(error, Missing | ProcessFailed) else "it does not answer as Python does"
        raise Missing(f"there is no interpreter with verl: {why}", where=str(python), hint=HINT) from None
    if "verl" not in packages:
        raise Missing("the interpreter has no verl", where=str(python), hint=HINT)
    interpreter = Interpreter(python, packages)
    if interpreter.release == RELEASE:
        return interpreter
    if trainer.device == "cpu":
        what = f"without a GPU verl runs by code made for {RELEASE}, and {interpreter.release} is installed"
        raise RecipeError(what, where=str(python), hint=f"`dr env create verl` makes an interpreter with {RELEASE}")
    log.warning("verl %s is installed: the keys are those of %s; it refuses what it does not know",
                interpreter.release, RELEASE)  # fmt: skip
    return interpreter


def check_gpus(interpreter: Interpreter, trainer: Verl) -> None:
    """Raises Missing where this machine has fewer GPUs than the recipe says; a cluster is not asked."""
    if trainer.device == "cpu" or trainer.ray_address:
        return
    seen = interpreter.gpus()
    if seen < trainer.gpus:
        what = f"`trainer.gpus` is {trainer.gpus}, verl's interpreter sees {seen}"
        hint = f"trainer.gpus={seen}" if seen else "trainer.device=cpu runs a few steps on the processor"
        raise Missing(what, where=str(interpreter.python), hint=hint)
