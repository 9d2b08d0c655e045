"""The next token of each row of a batch, drawn as its own request wishes."""

# B rows of the batch, S rows of it that are sampled, V tokens of the vocabulary

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from transformers import LogitsProcessor


@dataclass(frozen=True)
class Sampling:
    """How tokens are drawn."""

    temperature: float = 1.0
    """0 takes the likeliest token."""
    top_p: float = 1.0
    """Only the likeliest tokens with this much probability in all are drawn."""
    top_k: int = 0
    """Only so many of the likeliest are drawn; 0: all."""
    seed: int | None = None
    """The same seed draws the same answer, whoever else is in the batch. None: another one each time."""


class Sampler(LogitsProcessor):
    """Leaves, in rows that are sampled, only the token that was drawn: the likeliest is then the drawn one."""

    def __init__(self, rows: Sequence[Sampling], device: torch.device) -> None:
        drawn = [(number, row) for number, row in enumerate(rows) if row.temperature > 0]
        self._rows_S = torch.tensor([number for number, _ in drawn], dtype=torch.long, device=device)
        self._temperatures_S1 = torch.tensor([row.temperature for _, row in drawn], device=device)[:, None]
        self._top_ps_S1 = torch.tensor([row.top_p for _, row in drawn], device=device)[:, None]
        self._top_ks = [row.top_k for _, row in drawn]
        seeds = [row.seed for _, row in drawn]
        self._generators = {
            place: torch.Generator(device).manual_seed(seed) for place, seed in enumerate(seeds) if seed is not None
        }

    def __call__(self, _input_ids: Tensor, scores_BV: Tensor) -> Tensor:
        """The scores, those of a sampled row -inf but for its drawn token."""
        if not len(self._rows_S):
            return scores_BV
        drawn_S1 = self._drawn(scores_BV[self._rows_S])
        alone_SV = torch.full((len(self._rows_S), scores_BV.shape[1]), -torch.inf, device=scores_BV.device)
        alone_SV.scatter_(1, drawn_S1, 0.0)
        return scores_BV.index_copy(0, self._rows_S, alone_SV.to(scores_BV.dtype))

    def _drawn(self, scores_SV: Tensor) -> Tensor:
        """A token of each row: the first of competing exponential clocks to ring is one drawn by probability."""
        scores_SV = scores_SV.float() / self._temperatures_S1
        ordered_SV, order_SV = scores_SV.sort(dim=1, descending=True)
        for place, top_k in enumerate(self._top_ks):
            if top_k:
                ordered_SV[place, top_k:] = -torch.inf
        odds_SV = ordered_SV.softmax(dim=1)
        # A token is out when those before it have the mass already; the first never is.
        odds_SV[odds_SV.cumsum(dim=1) - odds_SV >= self._top_ps_S1] = 0.0
        places_S1 = (odds_SV / self._clocks(odds_SV)).argmax(dim=1, keepdim=True)
        return order_SV.gather(1, places_S1)

    def _clocks(self, like_SV: Tensor) -> Tensor:
        clocks_SV = torch.empty_like(like_SV).exponential_()
        for place, generator in self._generators.items():
            clocks_SV[place].exponential_(generator=generator)
        return clocks_SV
