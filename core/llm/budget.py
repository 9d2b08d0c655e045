"""The purse: no request starts that could carry the run over its cap."""

import asyncio
from dataclasses import dataclass

from core.llm.errors import BudgetReached
from core.llm.journal import Spent
from core.llm.spec import Budget
from core.llm.usage import cost


@dataclass(frozen=True)
class Worst:
    """What a request may take at most."""

    prompt_tokens: int
    completion_tokens: int


class Purse:
    """What is left of a budget, and what requests under way may still take of it."""

    def __init__(self, budget: Budget, spent: Spent) -> None:
        self._budget = budget
        self._prompt, self._completion = spent.prompt_tokens, spent.completion_tokens
        self._held_prompt = self._held_completion = self._holders = 0
        self._changed = asyncio.Event()
        self.capped = budget.max_tokens is not None or budget.max_cost is not None

    async def hold(self, worst: Worst) -> None:
        """Set `worst` aside; near the cap this waits for requests under way to tell what they really took.

        Raises:
            BudgetReached: none is under way, and it does not fit.
        """
        while self.capped and (short := self._short(worst)):
            if not self._holders:
                raise BudgetReached(
                    f"the budget is reached: {short}",
                    hint="raise `budget` and run again: what was answered is kept, and not asked for again",
                )
            self._changed.clear()
            await self._changed.wait()
        self._add(worst, 1)

    def settle(self, worst: Worst, prompt_tokens: int, completion_tokens: int) -> None:
        """The request is over and took so much; 0 when it failed."""
        self._add(worst, -1)
        self._prompt += prompt_tokens
        self._completion += completion_tokens
        self._changed.set()

    def _add(self, worst: Worst, sign: int) -> None:
        self._held_prompt += sign * worst.prompt_tokens
        self._held_completion += sign * worst.completion_tokens
        self._holders += sign

    def _short(self, worst: Worst) -> str:
        """Which cap the request might break; empty: none."""
        prompt = self._prompt + self._held_prompt + worst.prompt_tokens
        completion = self._completion + self._held_completion + worst.completion_tokens
        tokens, caps = prompt + completion, self._budget
        if caps.max_tokens is not None and tokens > caps.max_tokens:
            used = self._prompt + self._completion
            return f"{used:,} of {caps.max_tokens:,} tokens are used, the next request may take {_sum(worst):,}"
        money = cost(caps, prompt, completion)
        if caps.max_cost is not None and money is not None and money > caps.max_cost:
            used_money = cost(caps, self._prompt, self._completion) or 0.0
            return (
                f"{used_money:,.4f} of {caps.max_cost:,.4f} is spent, and the next request might cost more than is left"
            )
        return ""


def _sum(worst: Worst) -> int:
    return worst.prompt_tokens + worst.completion_tokens
