"""Between which rewards all answers lie, worked out from the parts."""

from core.reward.parts.spec import (
    AnyPart,
    Choice,
    EvidenceRank,
    ExactMatch,
    Format,
    FormatPieces,
    Length,
    Python,
    RecallTiers,
    SqlExecution,
    ToolUse,
)
from core.reward.spec import Reward

Extent = tuple[float, float]
"""Lowest and highest."""


def of_reward(reward: Reward) -> Extent | None:
    """Lowest and highest total; None where a function of the user's has a say."""
    extents = {part.key: _weighted(part) for part in reward.parts}
    found = [extent for extent in extents.values() if extent is not None]
    if len(found) < len(extents):
        return None
    low, high = (sum(ends) for ends in zip(*found, strict=True))
    for part in reward.parts:
        if isinstance(part, Format) and part.ends:
            # A bad format counts alone: then the others have no say.
            others = low - min(part.weight * part.good, part.weight * part.bad)
            low = min(part.weight * part.bad, part.weight * part.good + others)
    return low, high


def _weighted(part: AnyPart) -> Extent | None:
    extent = _of_part(part)
    if extent is None:
        return None
    ends = [part.weight * end for end in extent]
    return min(ends), max(ends)


def _of_part(part: AnyPart) -> Extent | None:
    match part:
        case Format():
            values = [part.good, part.bad]
        case FormatPieces():
            pieces = (part.think, part.steps, part.answer, part.box)
            values = [0.0, sum(p for p in pieces if p > 0), sum(p for p in pieces if p < 0)]
        case RecallTiers():
            values = [part.below, *(value for _, value in part.tiers)]
        case EvidenceRank():
            values = [part.below, *(value for _, value in part.ranks)]
        case ExactMatch() if part.credit is not None:
            values = list(part.credit.model_dump().values())
        case Choice():
            values = [0.0, 1.0, part.some]
        case ToolUse():
            values = [0.0, part.called + part.valid + part.new + part.gain]
        case SqlExecution():
            values = [part.match, part.other_rows, part.error]
        case Length():
            values = [0.0, part.penalty]
        case Python():
            return None
        case _:
            values = [0.0, 1.0]
    return min(values), max(values)
