"""Whether there is room for the training: the model's size without its weights, and what its checkpoints take."""

import math
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import AutoConfig, AutoModelForCausalLM

from core.errors import ArtifactError, DrError
from core.memory import GIB
from core.retrieval import tensors
from core.tuning.models import load
from core.tuning.spec import Checkpoints, Lora, Model, New, Pretrained

WEIGHT_BYTES = 4
"""Of a weight as it is saved: 32 bits."""
ADAM_BYTES = 8
"""Of AdamW's two moments of a weight that is trained."""


@dataclass(frozen=True)
class Size:
    """Weights of a model."""

    all: int
    trained: int
    """All, or those of the adapters."""

    @property
    def checkpoint_bytes(self) -> int:
        """What is trained, and the state of its optimiser."""
        return self.trained * (WEIGHT_BYTES + ADAM_BYTES)

    @property
    def model_bytes(self) -> int:
        """The whole model as it is left."""
        return self.all * WEIGHT_BYTES


def empty(folder: str, *, trust_remote_code: bool) -> Any:
    """The model in `folder`, or of that name on the hub, on torch's `meta` device: its layers without their weights.

    Raises:
        ArtifactError: there is no configuration, or no weights, or those are cut off.
        DrError: it is no causal language model.
    """
    _check_weights(Path(folder))
    try:
        config = AutoConfig.from_pretrained(folder, trust_remote_code=trust_remote_code)
        with torch.device("meta"):
            return AutoModelForCausalLM.from_config(  # type: ignore[no-untyped-call]
                config, trust_remote_code=trust_remote_code
            )
    except OSError as error:
        raise ArtifactError(f"no model can be loaded: {str(error).splitlines()[0]}", where=folder) from None
    except ValueError as error:
        raise DrError(f"this is no causal language model: {str(error).splitlines()[0]}", where=folder) from None


def size(spec: Model, model: Any) -> Size:
    """How many weights there are, and how many of them are trained.

    Raises:
        RecipeError: a layer is not there that shall get an adapter.
    """
    whole = sum(weight.numel() for weight in model.parameters())
    if isinstance(spec, New) or spec.lora is None:
        return Size(whole, whole)
    load.adapters(spec.lora, model)
    return Size(
        whole, sum(layer.in_features + layer.out_features for layer in _adapted(spec.lora, model)) * spec.lora.rank
    )


def told(spec: Model, size: Size) -> str:
    """The size in words."""
    model = f"{spec.path}: " if isinstance(spec, Pretrained) else "a new model: "
    trained = "all of them trained" if size.trained == size.all else f"{size.trained:,} trained by adapters"
    return f"{model}{size.all:,} weights, {trained}"


def check_disk(out: Path, size: Size, checkpoints: Checkpoints, steps: int, steps_an_epoch: int) -> Iterator[str]:
    """What the checkpoints take, and what is free.

    Raises:
        DrError: it is not enough.
    """
    made = math.ceil(steps / (checkpoints.save_every or steps_an_epoch))
    # The best one beside the newest, and the one that is being written.
    held = min(made, (checkpoints.keep or made) + 2)
    needed = held * size.checkpoint_bytes + size.model_bytes
    place = next(folder for folder in (out.absolute(), *out.absolute().parents) if folder.is_dir())
    free = shutil.disk_usage(place).free
    line = f"{_gib(needed)} GiB for {held} checkpoints and the model, {_gib(free)} GiB are free"
    if needed > free:
        hint = f"make room, choose another `out:`, or checkpoints.keep={max(1, (checkpoints.keep or made) // 2)}"
        raise DrError(f"there is no room on the disk: {line}", where=str(place), hint=hint)
    yield f"disk: {line}"


def _check_weights(folder: Path) -> None:
    """Raises ArtifactError for a folder whose weights are not there or cut off; a name is the hub's business."""
    if folder.is_dir() and not tensors.shapes(folder) and not any(folder.glob("*.bin")):
        raise ArtifactError("the model has no weights: there is no *.safetensors", where=str(folder))


def _adapted(lora: Lora, model: nn.Module) -> Iterator[nn.Linear]:
    """The layers that get adapters; `all-linear` spares the head, as peft does."""
    head = model.get_output_embeddings()  # type: ignore[operator]
    for name, layer in model.named_modules():
        if not isinstance(layer, nn.Linear):
            continue
        if isinstance(lora.target_modules, str):
            if layer is not head:
                yield layer
        elif any(name == target or name.endswith(f".{target}") for target in lora.target_modules):
            yield layer


def _gib(num_bytes: int) -> str:
    return f"{num_bytes / GIB:,.2f}"
