"""Low-rank adapters through peft: onto which layers they go, and for which base they were made."""

import difflib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from sentence_transformers import SentenceTransformer
from torch import nn
from transformers.pytorch_utils import Conv1D

from core.embed.models.source import Source
from core.embed.models.spec import Lora
from core.errors import ContractError, RecipeError
from core.lazy import require
from core.retrieval import tensors
from core.retrieval.adapter import BASE, CONFIG, HINT, check_weights

_ADAPTABLE = (nn.Linear, nn.Embedding, nn.Conv1d, nn.Conv2d, Conv1D)
_PREFIX = "base_model.model."


def add(model: SentenceTransformer, lora: Lora, base: Source) -> None:
    """Put new adapters into the transformer and freeze the rest of it. They change nothing until they are trained."""
    peft = require("peft")
    inner: Any = model.transformers_model
    inner.name_or_path = base.name  # what adapter_config.json names
    inner.add_adapter(
        peft.LoraConfig(
            r=lora.rank,
            lora_alpha=lora.alpha,
            lora_dropout=lora.dropout,
            target_modules=list(lora.target_modules),
            revision=base.commit,
        )
    )
    remember_base(model, base)


def go_on(model: SentenceTransformer, base: Source) -> None:
    """Let the adapters of a loaded model be trained further, and nothing else of its transformer."""
    inner: Any = model.transformers_model
    for name, parameter in inner.named_parameters():
        parameter.requires_grad_("lora_" in name)
    remember_base(model, base)


def remember_base(model: SentenceTransformer, base: Source) -> None:
    """What `save` writes beside the adapter."""
    marked: Any = model
    marked.adapter_base = {"name": base.name, "commit": base.commit, "weights": tensors.sampled_digest(base.folder)}


def save_base(model: SentenceTransformer, folder: Path) -> None:
    """Write which base the adapters of `model` are for; nothing for a model without adapters."""
    if (known := getattr(model, "adapter_base", None)) is not None:
        (folder / BASE).write_text(json.dumps(known, indent=2) + "\n", encoding="utf-8")


def check_targets(lora: Lora, skeleton: nn.Module) -> None:
    """Raises RecipeError when a layer that shall get an adapter is not in the model; `skeleton` needs no weights."""
    layers = {name for name, module in skeleton.named_modules() if isinstance(module, _ADAPTABLE)}
    short = sorted({name.rpartition(".")[2] for name in layers})
    for target in lora.target_modules:
        if not any(name == target or name.endswith(f".{target}") for name in layers):
            near = difflib.get_close_matches(target, short, n=3, cutoff=0.4)
            raise RecipeError(
                f"`{target}` is no layer of {type(skeleton).__name__}",
                where="model.lora.target_modules",
                hint=f"{f'did you mean {_quoted(near)}? ' if near else ''}it has {_quoted(short)}",
            )


def check_base(adapter: Source, base: Source, skeleton: nn.Module) -> None:
    """Raises ContractError when `base` is not what the adapter was made for: other layers, or other weights."""
    layers: Mapping[str, nn.Module] = dict(skeleton.named_modules())
    for name, shape in tensors.shapes(adapter.folder).items():
        layer, _, matrix = name.removeprefix(_PREFIX).removesuffix(".weight").rpartition(".lora_")
        if matrix not in {"A", "B"}:
            continue
        there = _size(layers.get(layer), matrix)
        adapts = shape[1] if matrix == "A" else shape[0]
        if there != adapts:
            what = "has no such layer" if there is None else f"has {there} there"
            raise ContractError(
                f"the adapter is for another base: its `{layer}` is {adapts} wide, and {base.name} {what}",
                where=str(adapter.folder / CONFIG),
                hint=HINT,
            )
    check_weights(adapter.folder, base.folder)


def check_same(lora: Lora, adapter: Source) -> None:
    """Raises RecipeError when a recipe wants other adapters than those that it goes on with."""
    has = adapter.json(CONFIG)
    wanted = {"rank": lora.rank, "alpha": lora.alpha, "target_modules": sorted(lora.target_modules)}
    targets = has["target_modules"]
    found = {
        "rank": has["r"],
        "alpha": has["lora_alpha"],
        "target_modules": sorted(targets) if isinstance(targets, list) else targets,
    }
    for field, value in wanted.items():
        if value != found[field]:
            raise RecipeError(
                f"the adapter that is trained further has {field} {found[field]}, the recipe says {value}",
                where=f"model.lora.{field}",
                hint="say the same, or `dr embed merge` it first and train new adapters on the result",
            )


def _size(layer: nn.Module | None, matrix: str) -> int | None:
    """What goes into a layer (A) or comes out of it (B); None for no layer."""
    if isinstance(layer, nn.Linear):
        return layer.in_features if matrix == "A" else layer.out_features
    weight = getattr(layer, "weight", None)
    if not isinstance(weight, torch.Tensor) or weight.dim() < 2:
        return None
    return int(weight.shape[0 if matrix == "A" else 1])


def _quoted(names: list[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)
