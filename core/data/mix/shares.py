"""How many rows each set gives, and which. Everything is settled by weights, sizes and the seed."""

import logging
import math
import random
from collections.abc import Iterable, Sequence

from core.data.mix.recipe import Strategy
from core.errors import DataError

log = logging.getLogger(__name__)


def counts(sizes: Sequence[int], weights: Sequence[float], strategy: Strategy, size: int | None) -> list[int]:
    """Rows to take of each set; they add up to `size`, by the largest remainder.

    `size` None: the most for which no set gives more than it has. With equal weights and `proportional`, all rows.
    """
    largest = max(weights)  # so that no sum of weights is without end
    shares = [
        weight / largest * (rows if strategy == "proportional" else 1)
        for rows, weight in zip(sizes, weights, strict=True)
    ]
    total = sum(shares)
    if size is None:
        # A hair more, so that an exact share is not lost to rounding.
        most = min(rows * total / share for rows, share in zip(sizes, shares, strict=True) if share)
        return [min(rows, math.floor(most * share / total + 1e-9)) for rows, share in zip(sizes, shares, strict=True)]
    exact = [size * share / total for share in shares]
    taken = [math.floor(value) for value in exact]
    order = sorted(range(len(exact)), key=lambda place: (taken[place] - exact[place], place))
    for place in order[: size - sum(taken)]:
        taken[place] += 1
    return taken


def tell_of_none(names: Iterable[str], taken: Sequence[int]) -> None:
    """Warn of sets that give no row: their share is below one."""
    for name, count in zip(names, taken, strict=True):
        if not count:
            log.warning("`%s` gives no row: its share is less than one", name)


def draw(available: int, wanted: int, seed: str, *, repeat: bool, name: str) -> list[int]:
    """Places of the rows to take, in random order; with `repeat` each row equally often, up to one time.

    Raises:
        DataError: more are wanted than there are, and none may be taken twice.
    """
    if wanted > available and not repeat:
        raise DataError(
            f"{wanted:,} rows of `{name}` are wanted, it has {available:,}",
            hint="lower `size` or its weight, or say `repeat: true`",
        )
    rng = random.Random(seed)  # noqa: S311 - no secret hangs on it
    places: list[int] = []
    while len(places) < wanted:
        places += rng.sample(range(available), min(available, wanted - len(places)))
    return places


def interleaved(taken: Sequence[int], seed: str) -> list[int]:
    """The number of the set that each row of the mixture comes from, in random order."""
    order = [number for number, count in enumerate(taken) for _ in range(count)]
    random.Random(seed).shuffle(order)  # noqa: S311 - no secret hangs on it
    return order
