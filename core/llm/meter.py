"""What a request may take before it is sent, and what it took after: for the purse and the limits per minute."""

import logging
import time
from dataclasses import dataclass

from core.llm.budget import Purse, Worst
from core.llm.chat import Answer, Request
from core.llm.errors import Unanswered
from core.llm.estimate import MESSAGE_TOKENS, tokens
from core.llm.journal import Spent
from core.llm.limits import Rate
from core.llm.spec import Llm

log = logging.getLogger(__name__)

LONG_WAIT_SECONDS = 10.0
"""A wait for a limit per minute that is told, once."""
FIRST_GUESS = 1.3
"""How far the rule of thumb for tokens may be too low, until the server has counted some prompts."""
MARGIN = 1.1
"""The same, once it has."""


@dataclass(frozen=True)
class Permit:
    """What was set aside for one try."""

    estimated: int
    """Tokens of the prompt by the rule of thumb; 0 when nobody needs them."""
    worst: Worst
    likely: float
    """Tokens taken from the limit per minute."""


class Meter:
    """Counts for one client."""

    def __init__(self, llm: Llm, spent: Spent) -> None:
        self._llm = llm
        self._purse = Purse(llm.budget, spent)
        self._requests = Rate(llm.requests_per_minute) if llm.requests_per_minute else None
        self._tokens = Rate(llm.tokens_per_minute) if llm.tokens_per_minute else None
        self._estimated = self._counted = self._answers = self._answer_tokens = 0
        self._told = False

    def check(self, request: Request) -> None:
        """Raises Unanswered when the prompt alone has more tokens than a minute has room for."""
        limit = self._llm.tokens_per_minute
        if limit is not None and (estimated := prompt_tokens(request)) > limit:
            raise Unanswered(
                "over the limit per minute",
                f"the prompt has about {estimated:,} tokens, and `tokens_per_minute` allows {limit:,}",
                hint="cut the document (`max_document_characters`), or raise `tokens_per_minute`",
            )

    async def admit(self, request: Request) -> Permit:
        """Set aside what the request may take.

        Raises:
            BudgetReached: there is not as much left.
        """
        estimated = prompt_tokens(request) if self._purse.capped or self._tokens else 0
        factor = MARGIN * self._counted / self._estimated if self._estimated else FIRST_GUESS
        worst = Worst(round(estimated * factor), self._llm.max_tokens)
        mean = self._answer_tokens / self._answers if self._answers else self._llm.max_tokens
        await self._purse.hold(worst)
        return Permit(estimated, worst, worst.prompt_tokens + mean)

    def wait(self, permit: Permit) -> float:
        """Seconds until the limits per minute let it through; it counts as sent."""
        now, seconds = time.monotonic(), 0.0
        if self._requests:
            seconds = self._requests.take(1, now)
        if self._tokens:
            seconds = max(seconds, self._tokens.take(permit.likely, now))
        if seconds > LONG_WAIT_SECONDS and not self._told:
            self._told = True
            self._tell(permit, seconds)
        return seconds

    def _tell(self, permit: Permit, seconds: float) -> None:
        limits = {
            "requests a minute": self._llm.requests_per_minute,
            f"tokens a minute (this one may take {permit.likely:,.0f})": self._llm.tokens_per_minute,
        }
        told = " and ".join(f"{limit:,} {of}" for of, limit in limits.items() if limit)
        log.warning("a request waits %.0f s for the recipe's limit of %s; others may, too", seconds, told)

    def settle(self, permit: Permit, answer: Answer | None) -> None:
        """The try is over; None: it gave no answer, and no server told what it took."""
        if answer is None:
            self._purse.settle(permit.worst, 0, 0)
            return
        self._purse.settle(permit.worst, answer.prompt_tokens, answer.completion_tokens)
        self._estimated, self._counted = self._estimated + permit.estimated, self._counted + answer.prompt_tokens
        self._answers, self._answer_tokens = self._answers + 1, self._answer_tokens + answer.completion_tokens
        if self._tokens:
            self._tokens.correct(answer.prompt_tokens + answer.completion_tokens - permit.likely)


def prompt_tokens(request: Request) -> int:
    """Tokens of a request's messages, by the rule of thumb."""
    return sum(tokens(message.content) + MESSAGE_TOKENS for message in request.messages)


def counted(answer: Answer, request: Request) -> Answer:
    """The answer, with estimates where the server did not count."""
    if answer.prompt_tokens >= 0 and answer.completion_tokens >= 0:
        return answer
    said = tokens(answer.text) + tokens(answer.reasoning)
    return Answer(answer.text, answer.reasoning, prompt_tokens(request), said, answer.finish_reason)
