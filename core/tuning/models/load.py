"""From a folder to what TRL trains: weights in 32 bits, the tokenizer, and the adapters that go onto it."""

import difflib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from torch import nn
from transformers import AutoModelForCausalLM, AutoTokenizer, BitsAndBytesConfig

from core.errors import ArtifactError, DrError, Missing, RecipeError
from core.lazy import require
from core.llm.local.loading import check_whole
from core.tuning.models.chat import check_template
from core.tuning.spec import Lora, Model, New, Pretrained

ADAPTER = "adapter_config.json"
HINT = "give an artifact, a folder, or a name that the hub or its cache on this machine knows"


@dataclass(frozen=True)
class Loaded:
    """A model before its training, or to go on with."""

    model: Any
    """A transformers model on the CPU, or where its quantised weights must be."""
    tokenizer: Any
    adapters: Any
    """peft's LoraConfig, for TRL to put onto the model. None: all weights are trained."""


def load(spec: Model, folder: str) -> Loaded:
    """The model in `folder` (see `start.begin`), as `spec` wants it trained.

    Raises:
        DrError: it has no chat template, or is no causal language model.
        ArtifactError: there is no model, or only an adapter.
        Missing: bitsandbytes is not installed.
        RecipeError: a layer that shall get an adapter is not there.
    """
    trusted = isinstance(spec, Pretrained) and spec.trust_remote_code
    tokenizer = tokenizer_of(folder, trust_remote_code=trusted)
    check_template(tokenizer, folder)
    if isinstance(spec, New) or spec.lora is None:
        return Loaded(weights(folder, trust_remote_code=trusted), tokenizer, None)
    quantized = _quantized(spec.quantize) if spec.quantize else None
    model = weights(folder, trust_remote_code=trusted, quantization_config=quantized)
    if quantized is not None:
        model = require("peft").prepare_model_for_kbit_training(model)
    return Loaded(model, tokenizer, adapters(spec.lora, model))


def tokenizer_of(folder: str, *, trust_remote_code: bool = False) -> Any:
    """The tokenizer of a model; a token to pad with is made of its end where it has none.

    Raises:
        ArtifactError: there is none.
    """
    _check_folder(folder)
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=trust_remote_code)
    except (OSError, ValueError, KeyError) as error:
        raise ArtifactError(f"no tokenizer can be loaded: {_first_line(error)}", where=folder, hint=HINT) from None
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def weights(folder: str, *, trust_remote_code: bool = False, quantization_config: Any = None) -> Any:
    """The model itself, in 32 bits where it is not quantised.

    Raises:
        ArtifactError: there is none, or its files cannot be read.
        UsageError: the files lack some of its weights.
        DrError: it is no causal language model.
    """
    _check_folder(folder)
    kwargs = {} if quantization_config is None else {"quantization_config": quantization_config}
    try:
        read: Any = AutoModelForCausalLM.from_pretrained(
            folder, dtype=torch.float32, trust_remote_code=trust_remote_code, output_loading_info=True, **kwargs
        )
    except (OSError, SafetensorError) as error:
        raise ArtifactError(f"no model can be loaded: {_first_line(error)}", where=folder, hint=HINT) from None
    except ValueError as error:
        raise DrError(f"this is no causal language model: {_first_line(error)}", where=folder) from None
    model, info = read
    check_whole(info, folder)
    return model


def adapters(lora: Lora, model: nn.Module) -> Any:
    """peft's configuration of adapters for `model`.

    Raises:
        RecipeError: a layer is not there.
    """
    targets = lora.target_modules
    if not isinstance(targets, str):
        names = sorted(
            {name.rpartition(".")[2] for name, layer in model.named_modules() if isinstance(layer, nn.Linear)}
        )
        for target in targets:
            if target.rpartition(".")[2] not in names:
                near = difflib.get_close_matches(target, names, n=3)
                raise RecipeError(
                    f"`{target}` is no linear layer of {type(model).__name__}",
                    where="model.lora.target_modules",
                    hint=f"did you mean {', '.join(near)}?" if near else f"there are {', '.join(names)}",
                )
    return require("peft").LoraConfig(
        r=lora.rank,
        lora_alpha=lora.alpha,
        lora_dropout=lora.dropout,
        target_modules=targets if isinstance(targets, str) else list(targets),
        task_type="CAUSAL_LM",
    )


def _quantized(bits: str) -> BitsAndBytesConfig:
    """NF4 with doubly quantised constants (Dettmers et al. 2023), or 8 bits."""
    try:
        require("bitsandbytes")
    except Missing:
        hint = "pip install bitsandbytes, or take model.quantize=null"
        raise Missing("the package `bitsandbytes` is not installed", hint=hint) from None
    if bits == "8bit":
        return BitsAndBytesConfig(load_in_8bit=True)  # type: ignore[no-untyped-call]
    return BitsAndBytesConfig(  # type: ignore[no-untyped-call]
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch.bfloat16,
    )


def _check_folder(folder: str) -> None:
    """Raises ArtifactError for an adapter alone, and for a folder without a model: names are for the hub."""
    path = Path(folder)
    if not path.exists():
        if folder.startswith(("/", ".", "~")) or folder.count("/") > 1:
            hint = "run the stage that makes the model first; a name on the hub is `OWNER/NAME`"
            raise ArtifactError("there is no such folder", where=folder, hint=hint)
        return
    if (path / ADAPTER).is_file():
        hint = "`dr sft export` makes a whole model of an adapter and its base"
        raise ArtifactError("this is an adapter, not a model", where=folder, hint=hint)
    if not (path / "config.json").is_file():
        raise ArtifactError("here is no model: there is no config.json", where=folder)


def _first_line(error: BaseException) -> str:
    return str(error).strip().partition("\n")[0]
