"""From the recipe's loss to a function of vectors."""

from collections.abc import Callable
from functools import partial
from typing import TypeAlias, assert_never

import torch
from torch import Tensor

from core.embed.losses.embedded import Embedded
from core.embed.losses.infonce import infonce
from core.embed.losses.kl import kl
from core.embed.losses.margin_mse import margin_mse
from core.embed.losses.spec import AnyLoss, InfoNce, Kl, MarginMse, WeightedMse
from core.embed.losses.weighted_mse import weighted_mse

Criterion: TypeAlias = Callable[[Embedded], Tensor]
"""A batch -> a scalar."""


def criterion(spec: AnyLoss) -> Criterion:
    """The loss that `spec` describes."""
    full = _full(spec)
    return partial(matryoshka, loss=full, lengths=spec.matryoshka) if spec.matryoshka else full


def matryoshka(batch: Embedded, *, loss: Criterion, lengths: tuple[int, ...]) -> Tensor:
    """Mean of `loss` over vectors cut to each of `lengths`, and whole; a length counts once.

    Cut vectors are normalised anew, for every loss takes cosines.

    Source: Kusupati et al. 2022, arXiv:2205.13147.
    """
    full = batch.queries_BH.shape[-1]
    return torch.stack([loss(batch.cut(length)) for length in sorted({*lengths, full})]).mean()


def _full(spec: AnyLoss) -> Criterion:
    match spec:
        case InfoNce():
            return partial(infonce, spec=spec)
        case WeightedMse():
            return weighted_mse
        case MarginMse():
            return partial(margin_mse, spec=spec)
        case Kl():
            return partial(kl, spec=spec)
        case _:
            assert_never(spec)
