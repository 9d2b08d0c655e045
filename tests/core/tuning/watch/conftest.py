import random

import pytest


@pytest.fixture
def series_of_noise():
    """`series_of_noise(lasts, count)`: deviation 0.1, of which `lasts` goes on into the next value."""

    def make(lasts, count):
        draw, value, values = random.Random(0), 0.0, []
        for _ in range(count):
            value = lasts * value + draw.gauss(0, 0.1 * (1 - lasts**2) ** 0.5)
            values.append(value)
        return values

    return make
