"""Answers of a causal language model, token by token: many prompts at once, each with parameters of its own.

B prompts, L tokens of the longest, V vocabulary. Imports torch and transformers only.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Self

import torch
from torch import Tensor

LOWEST = torch.finfo(torch.float32).min


@dataclass(frozen=True)
class Sampling:
    """How one answer is drawn; names and meanings are vLLM's."""

    max_tokens: int
    temperature: float = 1.0
    """0 takes the likeliest token."""
    top_p: float = 1.0
    top_k: int = -1
    """-1 or 0: all."""
    repetition_penalty: float = 1.0
    stop_token_ids: tuple[int, ...] = ()
    """End the answer beside the model's own; the token is part of the answer."""
    ignore_eos: bool = False
    logprobs: bool = False
    """Whether the log-probabilities of the answer's tokens are wanted, after temperature, top_k and top_p."""

    @classmethod
    def of(cls, parameters: Mapping[str, Any], max_tokens: int) -> Self:
        """From what verl hands over.

        Raises:
            ValueError: a parameter that is not kept here; it is never dropped in silence.
        """
        given = {name: value for name, value in parameters.items() if value is not None}
        limit = min(max_tokens, given.pop("max_tokens", max_tokens), given.pop("max_new_tokens", max_tokens))
        if unknown := sorted(set(given) - {field.name for field in fields(cls)}):
            raise ValueError(f"sampling parameters that the rollout on a CPU does not have: {', '.join(unknown)}")
        stops = tuple(given.pop("stop_token_ids", ()))
        return cls(max_tokens=max(1, limit), stop_token_ids=stops, **given)


@dataclass(frozen=True)
class Request:
    """One prompt."""

    prompt: Sequence[int]
    sampling: Sampling


@dataclass(frozen=True)
class Answer:
    """Tokens up to the one that ended it, which is the last of them."""

    tokens: list[int]
    logprobs: list[float] | None
    stopped: bool
    """Whether it ended by itself; else it was cut at `max_tokens`."""


@torch.inference_mode()
def answers(
    model: Any, requests: Sequence[Request], *, end: frozenset[int], pad: int, random: torch.Generator
) -> list[Answer]:
    """An answer to each request, in order; `end` are the model's own tokens that end an answer."""
    rows = [_Row(request, end) for request in requests]
    ids_BL, mask_BL = _left_padded([row.request.prompt for row in rows], pad)
    limits = _Limits([row.request.sampling for row in rows])
    cache, fed_BL = None, ids_BL
    while True:
        places_BL = (mask_BL.cumsum(1) - 1).clamp(min=0)[:, -fed_BL.shape[1] :]
        out = model(
            input_ids=fed_BL,
            attention_mask=mask_BL,
            position_ids=places_BL,
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=1,
        )
        cache = out.past_key_values
        scores_BV = limits.processed(out.logits[:, -1].float(), ids_BL, mask_BL)
        drawn_B = limits.draw(scores_BV, random)
        logprob_B = scores_BV.log_softmax(1).gather(1, drawn_B[:, None])[:, 0]
        for row, token, logprob in zip(rows, drawn_B.tolist(), logprob_B.tolist(), strict=True):
            row.take(token, logprob)
        if all(row.over for row in rows):
            return [row.answer() for row in rows]
        fed_BL = drawn_B[:, None]
        ids_BL = torch.cat([ids_BL, fed_BL], 1)
        mask_BL = torch.cat([mask_BL, torch.ones_like(fed_BL)], 1)


def _left_padded(prompts: Sequence[Sequence[int]], pad: int) -> tuple[Tensor, Tensor]:
    length = max(len(prompt) for prompt in prompts)
    ids = torch.tensor([[pad] * (length - len(prompt)) + list(prompt) for prompt in prompts])
    mask = torch.tensor([[0] * (length - len(prompt)) + [1] * len(prompt) for prompt in prompts])
    return ids, mask


class _Row:
    """An answer under way."""

    def __init__(self, request: Request, end: frozenset[int]) -> None:
        self.request = request
        own = frozenset() if request.sampling.ignore_eos else end
        self._ends = own | set(request.sampling.stop_token_ids)
        self._tokens: list[int] = []
        self._logprobs: list[float] = []
        self._stopped = False

    @property
    def over(self) -> bool:
        return self._stopped or len(self._tokens) >= self.request.sampling.max_tokens

    def take(self, token: int, logprob: float) -> None:
        if self.over:
            return
        self._tokens.append(token)
        self._logprobs.append(logprob)
        self._stopped = token in self._ends

    def answer(self) -> Answer:
        return Answer(self._tokens, self._logprobs if self.request.sampling.logprobs else None, self._stopped)


class _Limits:
    """The sampling parameters of a batch, row by row."""

    def __init__(self, samplings: Sequence[Sampling]) -> None:
        self._greedy_B = torch.tensor([each.temperature == 0 for each in samplings])
        self._temperature_B1 = torch.tensor([[each.temperature or 1.0] for each in samplings])
        self._top_p_B1 = torch.tensor([[each.top_p] for each in samplings])
        self._top_k = [each.top_k for each in samplings]
        self._penalty_B1 = torch.tensor([[each.repetition_penalty] for each in samplings])

    def processed(self, logits_BV: Tensor, ids_BL: Tensor, mask_BL: Tensor) -> Tensor:
        """What is drawn from: penalty, temperature, top_k, then top_p, as vLLM and transformers order them."""
        if (self._penalty_B1 != 1).any():
            seen_BV = torch.zeros_like(logits_BV).scatter_add_(1, ids_BL, mask_BL.float()) > 0
            punished_BV = torch.where(logits_BV > 0, logits_BV / self._penalty_B1, logits_BV * self._penalty_B1)
            logits_BV = torch.where(seen_BV, punished_BV, logits_BV)
        scores_BV = logits_BV / self._temperature_B1
        return self._nucleus(self._top(scores_BV))

    def draw(self, scores_BV: Tensor, random: torch.Generator) -> Tensor:
        """A token for each row."""
        likeliest_B = scores_BV.argmax(1)
        if self._greedy_B.all():
            return likeliest_B
        drawn_B = torch.multinomial(scores_BV.softmax(1), 1, generator=random)[:, 0]
        return torch.where(self._greedy_B, likeliest_B, drawn_B)

    def _top(self, scores_BV: Tensor) -> Tensor:
        for row, k in enumerate(self._top_k):
            if 0 < k < scores_BV.shape[1]:
                least = scores_BV[row].topk(k).values[-1]
                scores_BV[row] = scores_BV[row].masked_fill(scores_BV[row] < least, LOWEST)
        return scores_BV

    def _nucleus(self, scores_BV: Tensor) -> Tensor:
        """The likeliest tokens whose probabilities add up to top_p, the one that reaches it among them."""
        if (self._top_p_B1 >= 1).all():
            return scores_BV
        sorted_BV, order_BV = scores_BV.sort(1, descending=True)
        before_BV = sorted_BV.softmax(1).cumsum(1) - sorted_BV.softmax(1)
        left_out_BV = (before_BV >= self._top_p_B1) & (self._top_p_B1 < 1)
        left_out_BV[:, 0] = False
        return scores_BV.masked_fill(torch.zeros_like(left_out_BV).scatter_(1, order_BV, left_out_BV), LOWEST)
