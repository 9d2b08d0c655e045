"""Documents drawn from the whole corpus."""

import random
from collections.abc import Iterator


def shuffled(size: int, rng: random.Random) -> Iterator[int]:
    """The numbers 0 to size − 1 in random order, each once; drawing k of them takes time and memory for k only.

    Fisher and Yates's shuffle, with a dictionary for the places that differ from the start.
    """
    moved: dict[int, int] = {}
    for place in range(size):
        other = rng.randrange(place, size)
        yield moved.get(other, other)
        moved[other] = moved.get(place, place)
