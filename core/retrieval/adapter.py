"""A folder with an adapter: which base it is for, and whether that base is still what it was trained on."""

import json
from pathlib import Path
from typing import Any

from core.errors import ContractError
from core.retrieval import tensors

CONFIG = "adapter_config.json"
BASE = "adapter_base.json"
"""Beside an adapter: name, commit and digest of the base that it was trained on."""

HINT = "put back the base that it was trained on, or train a new adapter"


def base_of(folder: Path) -> str | None:
    """What the adapter in `folder` is for, a folder or a name; None when the folder holds a whole model, or is none."""
    path = folder / CONFIG
    return str(_json(path)["base_model_name_or_path"]) if path.exists() else None


def check_weights(adapter: Path, base: Path) -> None:
    """Raises ContractError when the base's weights are not those that the adapter says it was trained on."""
    path = adapter / BASE
    if path.exists() and _json(path)["weights"] != tensors.sampled_digest(base):
        raise ContractError(
            f"the adapter is for another base: the weights in {base} are not those it was trained on",
            where=str(path),
            hint=HINT,
        )


def _json(path: Path) -> dict[str, Any]:
    return dict(json.loads(path.read_text(encoding="utf-8")))
