"""What the answers took."""

from collections import Counter
from dataclasses import dataclass, field

from core.llm.spec import Budget


def cost(prices: Budget, prompt_tokens: int, completion_tokens: int) -> float | None:
    """Price of so many tokens, in the currency of the prices; None when one of them is unknown."""
    prompt, answer = prices.price_per_million_prompt_tokens, prices.price_per_million_answer_tokens
    if prompt is None or answer is None:
        return None
    return (prompt_tokens * prompt + completion_tokens * answer) / 1e6


@dataclass
class Usage:
    """Counts of one client, from its opening on."""

    prices: Budget = field(repr=False)
    requests: int = 0
    """Asked of the client, remembered ones included."""
    answers: int = 0
    """That the server gave."""
    prompt_tokens: int = 0
    completion_tokens: int = 0
    journal_hits: int = 0
    """Answered before, by an earlier run of the same work."""
    cache_hits: int = 0
    """Answered before, by other work that shares the cache."""
    retries: int = 0
    unanswered: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    """Tries that failed, by kind; most were made good by a retry."""
    most_at_once: int = 0
    """Requests under way at the busiest moment."""

    @property
    def cost(self) -> float | None:
        """In the currency of the prices; None when they are unknown."""
        return cost(self.prices, self.prompt_tokens, self.completion_tokens)

    def stats(self) -> dict[str, object]:
        """The counts, for a manifest."""
        counts = {name: value for name, value in vars(self).items() if name not in {"prices", "faults"}}
        return {**counts, "faults": dict(sorted(self.faults.items())), "cost": self.cost}

    def __str__(self) -> str:
        told = [f"{self.answers:,} answers", f"{self.prompt_tokens:,} + {self.completion_tokens:,} tokens"]
        told += [f"cost {self.cost:,.2f}"] if self.cost is not None else []
        told += [f"{hits:,} from {where}" for hits, where in self._remembered() if hits]
        told += [f"{self.retries:,} retries"] if self.retries else []
        told += [f"{self.unanswered:,} unanswered"] if self.unanswered else []
        return ", ".join(told)

    def _remembered(self) -> list[tuple[int, str]]:
        return [(self.journal_hits, "the journal"), (self.cache_hits, "the cache")]
