"""Rows that stand for all of them: the longest, and others drawn by seed."""

import random
from collections.abc import Sequence

MOST = 2000
"""Rows that are tokenised; of more, half are the longest and half are drawn."""


def chosen(characters: Sequence[int], seed: int, most: int = MOST) -> list[int]:
    """Places of the rows to look at, rising; `characters` has the length of each row."""
    places = range(len(characters))
    if len(places) <= most:
        return list(places)
    longest = sorted(places, key=lambda place: -characters[place])[: most // 2]
    rest = sorted(set(places) - set(longest))
    drawn = random.Random(seed).sample(rest, most - len(longest))  # noqa: S311 - a draw
    return sorted([*longest, *drawn])
