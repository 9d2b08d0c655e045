"""What decides a vector: an index stores it, and refuses a model that would answer otherwise."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from sentence_transformers import SentenceTransformer

from core import digest
from core.errors import ContractError
from core.retrieval.spec import Precision

QUERY_NAMES, DOCUMENT_NAMES = ("query",), ("document", "passage", "corpus")
_BITS = {1: torch.int8, 2: torch.int16, 4: torch.int32, 8: torch.int64}
"""Whole numbers of as many bytes."""
SAMPLES = 64
"""Values of each parameter that a contract's digest of the weights looks at."""


@dataclass(frozen=True)
class Contract:
    """What decides the vector of a text."""

    dimension: int
    modules: tuple[str, ...]
    """The model's parts in order, with the pooling's mode, and whether it leaves out the prompt."""
    normalisation: str
    """What is done to every vector at the end: `l2` brings it to length 1, in 32 bits."""
    query_prompt: str
    document_prompt: str
    max_tokens: int | None
    """Longest input; None when the model has no limit."""
    padding_side: str
    tokenizer: str
    """Digest of the tokenizer's own serialisation."""
    weights: str
    """Digest of samples of every parameter, adapters included: tells two trainings of one architecture apart."""
    precision: Precision
    """Numbers that it is computed in."""

    def as_dict(self) -> dict[str, Any]:
        """As JSON gives it back."""
        return {**asdict(self), "modules": list(self.modules)}

    def check(self, stored: dict[str, Any]) -> None:
        """Raises ContractError when this model is not the one that made the stored vectors."""
        mine = self.as_dict()
        if lacking := mine.keys() - stored.keys():
            raise ContractError(
                f"the index was built by an earlier version, whose contract does not say {', '.join(sorted(lacking))}",
                hint="build it again with --force",
            )
        if different := [
            f"{name}: {stored.get(name)} → {mine[name]}" for name in mine if stored.get(name) != mine[name]
        ]:
            raise ContractError(
                f"the model is not the one that this index was built with ({'; '.join(different)})",
                hint="put the model back, or build the index again with --force",
            )


def contract_of(model: SentenceTransformer, precision: Precision) -> Contract:
    """The contract of a loaded model."""
    return Contract(
        dimension=int(model.get_embedding_dimension() or 0),
        modules=tuple(_module_name(module) for module in model),
        normalisation="l2",
        query_prompt=prompt_of(model, QUERY_NAMES),
        document_prompt=prompt_of(model, DOCUMENT_NAMES),
        max_tokens=model.max_seq_length if isinstance(model.max_seq_length, int) else None,
        padding_side=str(getattr(model.tokenizer, "padding_side", "right")),
        tokenizer=_tokenizer_digest(model.tokenizer),
        weights=_weights_digest(model),
        precision=precision,
    )


def _weights_digest(model: SentenceTransformer) -> str:
    """Of some values of every parameter and the sum of all their bits: a training may change few rows of a table."""
    seen = {}
    for name, parameter in model.named_parameters():
        flat = parameter.detach().reshape(-1)
        samples = flat[:: max(1, len(flat) // SAMPLES)].float().cpu().numpy().tobytes().hex()
        seen[name] = f"{samples} {flat.view(_BITS[flat.element_size()]).sum(dtype=torch.int64).item()}"
    return digest.of_files(seen)


def _module_name(module: Any) -> str:
    mode = getattr(module, "pooling_mode", None)
    if mode is None:
        return type(module).__name__
    modes = mode if isinstance(mode, str) else "+".join(mode)
    return f"{type(module).__name__}({modes}{'' if module.include_prompt else ', without prompt'})"


def prompt_of(model: SentenceTransformer, names: Sequence[str]) -> str:
    """What the model puts before a text: its first prompt under one of `names`; empty where it has none."""
    return next((str(model.prompts[name]) for name in names if model.prompts.get(name)), "")


def _tokenizer_digest(tokenizer: Any) -> str:
    inner = getattr(tokenizer, "backend_tokenizer", tokenizer)
    return digest.of_text(inner.to_str()) if hasattr(inner, "to_str") else digest.of_text(str(tokenizer.get_vocab()))
