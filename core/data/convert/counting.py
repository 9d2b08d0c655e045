"""What all writers share: the number of what they wrote, by kind, and progress."""

from collections.abc import Iterable, Iterator
from typing import TypeAlias, TypeVar

from core import progress

T = TypeVar("T")

Counts: TypeAlias = dict[str, int]


def counted(items: Iterable[T]) -> Iterator[T]:
    """`items`, told on the bar a thousand at a time: a bar costs more than a row."""
    with progress.bar("rows") as bar:
        for number, item in enumerate(items, 1):
            yield item
            if number % 1000 == 0:
                bar.advance(1000)
