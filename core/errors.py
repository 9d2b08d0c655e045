"""Failures the user can act on. Anything else is a bug and keeps its traceback."""

from collections.abc import Mapping


class DrError(Exception):
    """What happened, where, and what to do. The work failed: exit code 1."""

    exit_code = 1
    result: Mapping[str, object] | None = None
    """What was made or found before, for `--json`, whose one object holds it beside the error."""

    def __init__(self, what: str, *, where: str | None = None, hint: str | None = None) -> None:
        super().__init__(what)
        self.what, self.where, self.hint = what, where, hint

    def render(self) -> str:
        """The message as the terminal shows it."""
        lines = [f"error: {self.what}"]
        if self.where:
            lines.append(f"  at {self.where}")
        if self.hint:
            lines += ["", f"hint: {self.hint}"]
        return "\n".join(lines)

    def as_dict(self) -> dict[str, object]:
        """The message as `--json` prints it."""
        error = {"error": self.what, "where": self.where, "hint": self.hint, "exit_code": self.exit_code}
        return {**(self.result or {}), **error}


class DataError(DrError):
    """A row or a file of the user's data is unusable."""


class ProcessFailed(DrError):
    """A program we started ended badly."""


class UsageError(DrError):
    """The call is wrong: exit code 2."""

    exit_code = 2


class RecipeError(UsageError):
    """The recipe does not say something valid."""


class ArtifactError(UsageError):
    """An input is missing or of another stage, or an output is in the way."""


class Missing(DrError):
    """A package, program, environment or service is missing or does not answer: exit code 3."""

    exit_code = 3


class GateFailed(DrError):
    """The work is done, and its result is not good enough or does not fit: exit code 4."""

    exit_code = 4


class ContractError(GateFailed):
    """Two parts that must agree (analyzer, model, ids, digests) do not."""
