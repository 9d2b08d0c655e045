"""Overrides that may help, as a message shows them: lines to paste behind the recipe, and why each."""

from collections.abc import Sequence

Line = tuple[str, str]
"""An override, and why."""

START = "run it again with --force and one of these after the recipe, the first ones first:"


def told(lines: Sequence[Line], more: str = "") -> str:
    """The lines under each other, below what to do with them; `more` is what no override can mend."""
    width = max((len(override) for override, _ in lines), default=0)
    shown = [f"  {override:<{width}}  # {why}" for override, why in lines]
    return "\n".join([*([START, *shown] if lines else []), *([more] if more else [])])


def value(of: object) -> str:
    """A value as an override is read."""
    if of is None:
        return "null"
    return str(of).lower() if isinstance(of, bool) else f"{of:g}" if isinstance(of, float) else str(of)
