"""Values in a temporary file, found by key: memory holds a number for each key, not the values."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import orjson

from core.data.seen import hash_of
from core.types import Document


class Shelf:
    """Takes values for keys, then gives them back; after the first one is asked for, it takes no more."""

    def __init__(self, path: Path) -> None:
        self._path, self._end = path, 0
        self._last: dict[int, int] = {}
        """Hash of a key -> where its last value lies; each value knows the one before it."""
        self._writer = path.open("wb", buffering=1 << 20)
        self._reader: Any = None

    def add(self, key: str, value: Any) -> None:
        """Put one more value of `key`."""
        hashed = hash_of(key)
        line = orjson.dumps((self._last.get(hashed), value), option=orjson.OPT_APPEND_NEWLINE)
        self._writer.write(line)
        self._last[hashed] = self._end
        self._end += len(line)

    def __contains__(self, key: str) -> bool:
        return hash_of(key) in self._last

    def get(self, key: str) -> list[Any]:
        """The values of `key` in the order in which they came; empty when there are none."""
        return self._values(self._last.get(hash_of(key)))

    def groups(self) -> Iterator[list[Any]]:
        """The values of each key, in the order in which the keys came first."""
        return map(self._values, self._last.values())

    def _values(self, place: int | None) -> list[Any]:
        if self._reader is None:
            self._writer.close()
            self._reader = self._path.open("rb")
        found = []
        while place is not None:
            self._reader.seek(place)
            place, value = orjson.loads(self._reader.readline())
            found.append(value)
        return found[::-1]

    def close(self) -> None:
        """Let go of the file."""
        self._writer.close()
        if self._reader is not None:
            self._reader.close()


def put(documents: Iterable[Document], wanted: set[str], shelf: Shelf) -> int:
    """Put the documents with these ids on a shelf, as (title, text); gives the number of others."""
    others = 0
    for document in documents:
        if document.id in wanted:
            shelf.add(document.id, (document.title, document.text))
        else:
            others += 1
    return others
