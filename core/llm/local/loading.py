"""A causal language model and its tokenizer, whole and ready to be asked."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from transformers import AutoModelForCausalLM, AutoTokenizer
from transformers.utils.logging import disable_progress_bar

from core.errors import UsageError
from core.llm.engine import fast_bfloat16

log = logging.getLogger(__name__)

TOKENIZER_FILES = ("tokenizer.json", "tokenizer.model", "vocab.json", "vocab.txt", "tokenizer_config.json")
"""A folder with a tokenizer holds one of them."""

UNREADABLE = (OSError, ValueError, TypeError, KeyError, RuntimeError, AttributeError, SafetensorError)
"""What transformers raises at files that are not what their names say."""


@dataclass(frozen=True)
class Loaded:
    """A model that can be asked."""

    model: Any
    tokenizer: Any
    max_tokens: int
    """Tokens of prompt and answer together."""
    ends: frozenset[int]
    """Tokens that end an answer."""

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        return torch.device(self.model.device)


def load(source: str, *, dtype: str = "auto", max_tokens: int | None = None) -> Loaded:
    """The model of a folder, or of a name on the hub, on the GPU where there is one.

    `dtype` is a name of torch's; `auto` is the model's own, or float32 on a CPU that has no arithmetic for it.

    Raises:
        UsageError: it is no such model, is not whole, has no tokenizer or no chat template, or reads fewer tokens.
    """
    disable_progress_bar()  # type: ignore[no-untyped-call]  # of loading and writing files
    tokenizer = load_tokenizer(source)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    own = dtype == "auto" and (device.type == "cuda" or fast_bfloat16())
    wanted = "auto" if own else torch.float32 if dtype == "auto" else getattr(torch, dtype)
    model = load_model(source, wanted).to(device).eval()
    check_vocabulary(model, tokenizer, source)
    return Loaded(model, tokenizer, _max_tokens(model, max_tokens, source), _ends(model, tokenizer))


def load_tokenizer(source: str) -> Any:
    """The tokenizer, which has a chat template.

    Raises:
        UsageError: there is none, it cannot be read, or it has no chat template.
    """
    folder = Path(source)
    if folder.is_dir() and not any((folder / name).exists() for name in TOKENIZER_FILES):
        hint = "copy the tokenizer's files from the model it was trained from"
        raise UsageError("the model has no tokenizer: there is no tokenizer.json", where=source, hint=hint)
    try:
        tokenizer = AutoTokenizer.from_pretrained(source)
    except UNREADABLE as error:
        raise UsageError(f"the tokenizer cannot be read: {_short(error)}", where=source) from None
    if not tokenizer.chat_template:
        hint = "take an instruct or chat model, or add a chat_template.jinja beside the tokenizer"
        raise UsageError("the model has no chat template: nobody knows how to ask it", where=source, hint=hint)
    return tokenizer


def load_model(source: str, dtype: "torch.dtype | str") -> Any:
    """The model with all its weights read from the files.

    Raises:
        UsageError: the files cannot be read, or do not hold the weights that the configuration speaks of.
    """
    try:
        read: Any = AutoModelForCausalLM.from_pretrained(source, dtype=dtype, output_loading_info=True)
        model, info = read
    except UNREADABLE as error:
        raise UsageError(f"the model cannot be read: {_short(error)}", where=source) from None
    check_whole(info, source)
    return model


def check_whole(info: Mapping[str, Any], source: str) -> None:
    """Look at what transformers says of a model that it has loaded.

    Raises:
        UsageError: weights were not in the files, and were drawn instead.
    """
    if lost := sorted(info["missing_keys"]):
        what = f"the files lack {len(lost):,} of the model's weights, such as `{lost[0]}`"
        raise UsageError(what, where=source, hint="is it the checkpoint of another model, or not wholly written?")


def check_vocabulary(model: Any, tokenizer: Any, source: str) -> None:
    """Raises UsageError when the tokenizer has tokens that the model does not know."""
    rows = model.get_input_embeddings().num_embeddings
    if len(tokenizer) > rows:
        what = f"the tokenizer has {len(tokenizer):,} tokens, the model {rows:,}: it is another model's"
        raise UsageError(what, where=source)


def _max_tokens(model: Any, wanted: int | None, source: str) -> int:
    own = getattr(model.config.get_text_config(), "max_position_embeddings", None) or wanted
    if own is None:
        raise UsageError("the model does not say how much it reads", where=source, hint="say `max_model_len`")
    if wanted is not None and wanted > own:
        raise UsageError(f"`max_model_len` is {wanted:,}, the model reads {own:,} tokens", where=source)
    return int(wanted or own)


def _ends(model: Any, tokenizer: Any) -> frozenset[int]:
    told = model.generation_config.eos_token_id
    several = told if isinstance(told, list) else [told]
    return frozenset(int(token) for token in (*several, tokenizer.eos_token_id) if token is not None)


def _short(error: BaseException) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:300]
