"""Whether a merged model is what it should be: as its adapter, and not as its base."""

# N texts, H hidden

from collections.abc import Sequence
from typing import Any

import numpy as np

from core.errors import ContractError
from core.retrieval.encoder import Vectors

SAME = 0.999
"""Cosine that a merged model's vector must have with the adapter's, for every text."""

NOTHING = 1e-6
"""Vectors that differ less than this anywhere are equal but for rounding."""


def check(adapter_NH: Vectors, base_NH: Vectors, merged_NH: Vectors, texts: Sequence[str]) -> dict[str, Any]:
    """Cosines of the merged model's unit vectors with the adapter's and the base's, each the least and the mean.

    Raises:
        ContractError: the merged model is the base, or is not what the adapter was.
    """
    to_adapter_N = np.einsum("nh,nh->n", merged_NH, adapter_NH, dtype=np.float64)
    to_base_N = np.einsum("nh,nh->n", merged_NH, base_NH, dtype=np.float64)
    if np.abs(adapter_NH - base_NH).max() <= NOTHING:
        raise ContractError(
            f"the adapter changes nothing: on {len(texts)} texts its vectors are those of its base",
            hint="was it trained at all? See `verdict` in the training's report.json, and its learning rate and steps",
        )
    worst = int(to_adapter_N.argmin())
    if to_adapter_N[worst] < SAME:
        raise ContractError(
            f"the merged model is not what the adapter was: cosine {to_adapter_N[worst]:.4f} for {texts[worst][:80]!r} "
            f"(at least {SAME} is needed)",
            hint="with `precision: bf16` try fp32; otherwise the adapter's base is not what it was",
        )
    if np.abs(merged_NH - base_NH).max() <= NOTHING or _distance(merged_NH, base_NH) <= _distance(
        merged_NH, adapter_NH
    ):
        raise ContractError(
            "the merged model equals its base: what the adapter learnt is not in it",
            hint="with `precision: bf16` try fp32: a small change is lost when weights are rounded",
        )
    return {
        "texts": len(texts),
        "to_adapter": {"least": float(to_adapter_N.min()), "mean": float(to_adapter_N.mean())},
        "to_base": {"least": float(to_base_N.min()), "mean": float(to_base_N.mean())},
    }


def _distance(one_NH: Vectors, other_NH: Vectors) -> float:
    return float(np.linalg.norm(one_NH.astype(np.float64) - other_NH, axis=1).mean())
