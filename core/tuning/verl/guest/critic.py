"""The model that a critic begins with, on a processor: verl's own asks for flash attention, which needs a GPU."""

from typing import Any

import torch
from transformers import AutoModelForTokenClassification, PretrainedConfig


def load(local_path: str, torch_dtype: torch.dtype, model_config: PretrainedConfig, trust_remote_code: bool) -> Any:
    """The model with a head of one value a token, which is drawn at random."""
    return AutoModelForTokenClassification.from_pretrained(
        local_path,
        dtype=torch_dtype,
        config=model_config,
        attn_implementation="sdpa",
        trust_remote_code=trust_remote_code,
    )
