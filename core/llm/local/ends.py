"""Which rows of a batch have ended, and why."""

from collections.abc import Sequence
from typing import Any, Literal

import torch
from torch import Tensor
from transformers import StoppingCriteria

Reason = Literal["stop", "length"]


class Ends(StoppingCriteria):
    """Notes, token by token, where each row ended."""

    def __init__(
        self,
        tokenizer: Any,
        prompt_length: int,
        ends: frozenset[int],
        most: Sequence[int],
        stops: Sequence[Sequence[str]],
    ) -> None:
        """`most` and `stops` are of each row: its tokens at most, and the texts that end it."""
        self._tokenizer, self._prompt_length, self._ends = tokenizer, prompt_length, ends
        self._most, self._stops = most, stops
        # A text of n bytes lies within its last n tokens, or begins within the token before them.
        self._tails = [max((len(text.encode()) + 1 for text in texts), default=0) for texts in stops]
        self.found: list[tuple[int, Reason] | None] = [None] * len(most)
        """Of each row: its number of tokens (one that ended it included) and why it ended. None: it goes on."""

    def __call__(self, input_ids_BT: Tensor, _scores: Any, **_: Any) -> Tensor:
        """Whether each row is over."""
        length = input_ids_BT.shape[1] - self._prompt_length
        newest = input_ids_BT[:, -1].tolist()
        for row, token in enumerate(newest):
            if self.found[row] is None and (reason := self._reason(row, token, length, input_ids_BT)):
                self.found[row] = (length, reason)
        return torch.tensor([found is not None for found in self.found], device=input_ids_BT.device)

    def _reason(self, row: int, token: int, length: int, input_ids_BT: Tensor) -> Reason | None:
        if token in self._ends:
            return "stop"
        if self._stops[row]:
            tail = self._tokenizer.decode(input_ids_BT[row, -min(length, self._tails[row]) :], skip_special_tokens=True)
            if any(text in tail for text in self._stops[row]):
                return "stop"
        return "length" if length >= self._most[row] else None


class Halt(StoppingCriteria):
    """Ends every row at once when it is told to."""

    def __init__(self) -> None:
        self.asked = False

    def __call__(self, input_ids_BT: Tensor, _scores: Any, **_: Any) -> Tensor:
        """Whether each row is over."""
        return torch.full((input_ids_BT.shape[0],), self.asked, device=input_ids_BT.device)
