"""What to do when memory runs out: one advice for all trainings, encoders and builders."""

import contextlib
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import psutil

from core.errors import DrError
from core.recipe import remedies

GIB = 2**30

Kind = Literal["GPU", "host"]

_GPU_SIGNS = (
    "CUDA out of memory",
    "CUDA error: out of memory",
    "CUBLAS_STATUS_ALLOC_FAILED",
    "MPS backend out of memory",
)
_HOST_SIGNS = ("DefaultCPUAllocator", "Cannot allocate memory", "std::bad_alloc")
_ASKED = re.compile(r"(?:tried|unable) to allocate ([\d.]+ ?(?:bytes|[KMGTP]iB))", re.IGNORECASE)


@dataclass(frozen=True)
class Knob:
    """A field of the recipe that decides how much memory is needed."""

    field: str
    """Dotted name, as an override takes it."""
    value: object
    smaller: object
    """What to try instead; equal to `value` when it cannot go lower."""
    why: str
    """What memory it saves, in a few words."""

    @classmethod
    def halved(cls, field: str, value: int, why: str, *, least: int = 1) -> "Knob":
        """A number that can be halved, down to `least`."""
        return cls(field, value, max(value // 2, min(value, least)), why)


class OutOfMemory(DrError):
    """The GPU's or the host's memory ran out."""


@contextlib.contextmanager
def explained(knobs: Sequence[Knob]) -> Iterator[None]:
    """Turn an allocation that failed inside the block into advice; other errors pass.

    `knobs` come in the order in which they should be tried.

    Raises:
        OutOfMemory: instead of MemoryError, torch's OutOfMemoryError, and the CPU allocator's RuntimeError.
    """
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        kind = what_ran_out(error)
        if kind is None:
            raise
        raise advise(kind, str(error), knobs) from error


def what_ran_out(error: BaseException) -> Kind | None:
    """Which memory an allocation failed in; None for an error of another kind."""
    if isinstance(error, MemoryError):
        return "host"
    torch = sys.modules.get("torch")
    text = str(error)
    if (torch and isinstance(error, torch.OutOfMemoryError)) or any(sign in text for sign in _GPU_SIGNS):
        return "GPU"
    return "host" if any(sign in text for sign in _HOST_SIGNS) else None


def advise(kind: Kind, message: str, knobs: Sequence[Knob]) -> OutOfMemory:
    """What ran out, what was measured, and the overrides that need less, ready to paste."""
    asked = _ASKED.search(message)
    more = f" when {_readable(asked[1])} more were asked for" if asked else ""
    name = "the GPU" if kind == "GPU" else "this machine"
    return OutOfMemory(f"{name} ran out of memory{more} ({measured(kind)})", hint=_hint(knobs))


def measured(kind: Kind) -> str:
    """How much of that memory is free and how much this process took, in words."""
    if kind == "GPU":
        return _gpu_measured()
    memory, own = psutil.virtual_memory(), psutil.Process().memory_info().rss
    return f"{_gib(memory.available)} of {_gib(memory.total)} GiB are free, this process holds {_gib(own)}"


def _gpu_measured() -> str:
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_available():
        return "its use could not be measured"
    free, total = torch.cuda.mem_get_info()
    peak = torch.cuda.max_memory_allocated()
    device = torch.cuda.current_device()
    return f"device {device}: {_gib(free)} of {_gib(total)} GiB are free, this process took {_gib(peak)} at its peak"


def _hint(knobs: Sequence[Knob]) -> str:
    useful = [knob for knob in knobs if knob.smaller != knob.value]
    if not useful:
        return "every setting is at its smallest: take a smaller model or a machine with more memory"
    lines = [
        (f"{knob.field}={remedies.value(knob.smaller)}", f"now {remedies.value(knob.value)}: {knob.why}")
        for knob in useful
    ]
    return remedies.told(lines)


def _readable(amount: str) -> str:
    return f"{_gib(float(amount.removesuffix('bytes')))} GiB" if amount.endswith("bytes") else amount


def _gib(num_bytes: float) -> str:
    return f"{num_bytes / GIB:.1f}"
