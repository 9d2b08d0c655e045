"""What to make smaller when the memory of a training runs out."""

import contextlib
import re
import sys
from collections.abc import Iterator

import psutil

from core import memory
from core.embed.losses.spec import InfoNce
from core.embed.models import build
from core.embed.models.spec import Lora, Pretrained, Static
from core.embed.recipe import Recipe
from core.errors import DrError
from core.memory import Kind, Knob

_UNITS = {"bytes": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40, "PiB": 2**50}
_ASKED = re.compile(r"(?:tried|unable) to allocate ([\d.]+) ?(bytes|[KMGTP]iB)", re.IGNORECASE)


@contextlib.contextmanager
def explained(recipe: Recipe) -> Iterator[None]:
    """Tell memory that ran out in the block, with overrides that fit what was measured.

    Raises:
        OutOfMemory: with the fields that need less.
    """
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        kind = memory.what_ran_out(error)
        if kind is None:
            raise
        raise memory.advise(kind, str(error), of(recipe, _share(str(error), _available(kind)))) from error


def of(recipe: Recipe, share: float = 0.5) -> list[Knob]:
    """What decides how much memory is needed, the first to try first; numbers that a part of it follows come down to
    `share` of what they are, halved as often as that takes."""
    model, loss, machine = recipe.model, recipe.loss, recipe.machine
    knobs = [_down("batch_size", recipe.rows_a_step, "rows held at a time", share, least=2)]
    if isinstance(model, Static):
        return [
            *knobs,
            _down("model.dimension", model.dimension, "size of all vectors", share, least=64),
            _down("model.vocabulary", model.vocabulary, "number of vectors", share, least=2_000),
        ]
    if isinstance(loss, InfoNce) and machine.deepspeed is None:
        now = loss.mini_batch_size or recipe.rows_a_step
        smaller = _down("loss.mini_batch_size", now, "texts held at a time, for the same batch", share).smaller
        knobs.insert(0, Knob("loss.mini_batch_size", loss.mini_batch_size, smaller, "texts held at a time, same loss"))
    if model.max_tokens is None:
        knobs.append(Knob("model.max_tokens", None, 256, "longer texts are cut"))
    else:
        knobs.append(_down("model.max_tokens", model.max_tokens, "longer texts are cut", share, least=32))
    checkpointing = machine.gradient_checkpointing
    knobs.append(
        Knob("machine.gradient_checkpointing", checkpointing, True, "activations are computed twice, not kept")
    )
    if model.lora is None and _takes_adapters(model):
        knobs.append(Knob("model.lora", None, "{}", "no gradients and optimiser state for frozen weights"))
    return knobs


def _takes_adapters(model: Pretrained) -> bool:
    """Whether the model has the layers that adapters go onto by default."""
    try:
        build.check(model.model_copy(update={"lora": Lora.model_validate({})}))
    except DrError:
        return False
    return True


def _down(field: str, value: int, why: str, share: float, *, least: int = 1) -> Knob:
    smaller = Knob.halved(field, value, why, least=least).smaller
    while isinstance(smaller, int) and smaller > max(least, value * share):
        smaller = max(smaller // 2, least)
    return Knob(field, value, smaller, why)


def _share(message: str, available: int | None) -> float:
    """Which part of what was asked for there is room for; at most a half."""
    asked = _ASKED.search(message)
    if asked is None or available is None:
        return 0.5
    units = {name.lower(): size for name, size in _UNITS.items()}
    size = float(asked[1]) * units[asked[2].lower()]
    return min(0.5, available / size) if size else 0.5


def _available(kind: Kind) -> int | None:
    if kind == "host":
        return int(psutil.virtual_memory().available)
    torch = sys.modules.get("torch")
    return torch.cuda.mem_get_info()[0] if torch and torch.cuda.is_available() else None
