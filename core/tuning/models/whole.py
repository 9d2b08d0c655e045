"""From a checkpoint to a whole model: a Hugging Face directory without adapters, with the facts of its prompts."""

import json
import shutil
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from core.artifact import write_json
from core.errors import ContractError
from core.lazy import require
from core.llm.checkpoint import MODEL, PROMPTS
from core.retrieval.checkpoints import MEASURED
from core.tuning.models import load
from core.tuning.spec import Model, Pretrained
from core.tuning.trl.store import TRAINER_STATE

ADAPTER_FILES = ("adapter_config.json", "adapter_model.safetensors")


ADAPTER = "adapter"
"""Folder of peft's files in an artifact of a training with LoRA."""


def conclude(checkpoint: Path, spec: Model, base: str, folder: Path, facts: Mapping[str, Any] | None) -> None:
    """Write model/ of an artifact, and adapter/ where LoRA was trained, from the best checkpoint; see `whole`."""
    trusted = isinstance(spec, Pretrained) and spec.trust_remote_code
    whole(checkpoint, base, folder / MODEL, facts, trust_remote_code=trusted)
    copy_adapter(checkpoint, base, folder / ADAPTER)


def whole(
    checkpoint: Path, base: str, place: Path, facts: Mapping[str, Any] | None, *, trust_remote_code: bool = False
) -> None:
    """Write the model of `checkpoint` to `place`, which is replaced; adapters are merged into `base`.

    Weights are in the 32 bits that they were trained in.

    Raises:
        ContractError: the adapters are for another base.
        ArtifactError: base or checkpoint is not there.
    """
    shutil.rmtree(place, ignore_errors=True)  # a killed run's half
    tokenizer = load.tokenizer_of(base, trust_remote_code=trust_remote_code)
    if is_adapter(checkpoint):
        merged(checkpoint, base, trust_remote_code=trust_remote_code).save_pretrained(place)
    else:
        shutil.copytree(checkpoint, place, ignore=shutil.ignore_patterns(MEASURED, "README.md", *TRAINER_STATE))
    tokenizer.save_pretrained(place)
    if facts is not None:
        write_json(place / PROMPTS, dict(facts))


def merged(adapter: Path, base: str, *, trust_remote_code: bool = False) -> Any:
    """The model of `base` with the adapter in it.

    Raises:
        ContractError: the adapter is for another base.
    """
    peft = require("peft")
    model = load.weights(base, trust_remote_code=trust_remote_code)
    try:
        with warnings.catch_warnings():
            # peft asks for it by the name that transformers is about to drop.
            warnings.filterwarnings("ignore", message="`is_gradient_checkpointing` is deprecated")
            adapted = peft.PeftModel.from_pretrained(model, str(adapter))
    except (RuntimeError, ValueError, KeyError) as error:
        what = str(error).strip().partition("\n")[0]
        raise ContractError(f"the adapter does not fit {base}: {what}", where=str(adapter)) from None
    return adapted.merge_and_unload()


def copy_adapter(checkpoint: Path, base: str, place: Path) -> None:
    """Write peft's files of `checkpoint` to `place`; nothing where it has no adapter. They name `base`."""
    if not is_adapter(checkpoint):
        return
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    for name in ADAPTER_FILES:
        shutil.copy2(checkpoint / name, place / name)
    config = json.loads((place / ADAPTER_FILES[0]).read_text(encoding="utf-8"))
    write_json(place / ADAPTER_FILES[0], {**config, "base_model_name_or_path": base})


def is_adapter(checkpoint: Path) -> bool:
    """Whether a checkpoint holds adapters, and no whole model."""
    return (checkpoint / ADAPTER_FILES[0]).is_file()
