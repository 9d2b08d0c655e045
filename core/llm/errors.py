"""What may go wrong with one question, or with the purse; a service that fails as a whole is `core.errors.Missing`."""

from core.errors import DrError


class Unanswered(DrError):
    """One request got no answer and will get none; the others go on."""

    def __init__(self, reason: str, what: str, *, hint: str | None = None) -> None:
        super().__init__(what, hint=hint)
        self.reason = reason
        """In few words, for a table of failures: `context too long`, `content filter`, `time-out` ..."""


class NoObject(DrError):
    """An answer that should hold a JSON object holds none."""


class BudgetReached(DrError):
    """The next request might cost more than is left. Everything answered so far is kept."""
