"""The documents of an index: rows on disk, numbered in the order of their ids, opened by memory map.

Every leg counts documents by this number, so a tie broken by number is a tie broken by id.

    rows.jsonl        one document a line, in the order they came
    offsets.npy       [N, 2] first byte and length of each row, in id order
    ids.txt           the ids in order, joined by line ends
    id_offsets.npy    [N + 1] first byte of each id
"""

import mmap
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import orjson

from core.errors import DataError
from core.retrieval.arrays import open_array
from core.types import Document


def write(documents: Iterable[Document], path: Path) -> "DocumentStore":
    """Write a store and open it.

    Raises:
        DataError: no document, an id given twice, or an id with a line end in it.
    """
    path.mkdir(parents=True, exist_ok=True)
    ids, offsets, position = list[bytes](), list[tuple[int, int]](), 0
    with (path / "rows.jsonl").open("wb") as rows:
        for document in documents:
            row = orjson.dumps(
                {"id": document.id, "title": document.title, "text": document.text, "metadata": document.metadata}
            )
            rows.write(row + b"\n")
            ids.append(document.id.encode())
            offsets.append((position, len(row)))
            position += len(row) + 1
    if not ids:
        raise DataError("there is no document to index")
    order = sorted(range(len(ids)), key=ids.__getitem__)
    in_order = [ids[number] for number in order]
    _check_ids(in_order)
    (path / "ids.txt").write_bytes(b"\n".join(in_order) + b"\n")
    np.save(path / "offsets.npy", np.array(offsets, np.int64)[order])
    np.save(path / "id_offsets.npy", np.cumsum([0, *(len(id_) + 1 for id_ in in_order)], dtype=np.int64))
    return DocumentStore(path)


def _check_ids(in_order: Sequence[bytes]) -> None:
    for before, after in pairwise(in_order):
        if before == after:
            raise DataError(
                f"the document id {after.decode()!r} is given twice", hint="`dr data check` finds all of them"
            )
    for id_ in in_order:
        if b"\n" in id_ or not id_:
            raise DataError(f"{id_.decode()!r} cannot be a document id: empty, or a line end in it")


class DocumentStore:
    """An opened store."""

    def __init__(self, path: Path) -> None:
        self._rows, self._ids = _map(path / "rows.jsonl"), _map(path / "ids.txt")
        self._offsets = open_array(path / "offsets.npy")
        self._id_offsets = open_array(path / "id_offsets.npy")

    def __len__(self) -> int:
        return len(self._offsets)

    def __iter__(self) -> Iterator[Document]:
        """All documents in the order of their numbers."""
        return (self.document(number) for number in range(len(self)))

    def document(self, number: int) -> Document:
        """The document with this number."""
        start, length = self._offsets[number]
        return Document(**orjson.loads(self._rows[int(start) : int(start + length)]))

    def id(self, number: int) -> str:
        """The id of the document with this number."""
        return self._id_bytes(number).decode()

    def number(self, document_id: str) -> int | None:
        """The number of the document with this id; None when there is none."""
        wanted, low, high = document_id.encode(), 0, len(self)
        while low < high:
            middle = (low + high) // 2
            if self._id_bytes(middle) < wanted:
                low = middle + 1
            else:
                high = middle
        return low if low < len(self) and self._id_bytes(low) == wanted else None

    def _id_bytes(self, number: int) -> bytes:
        return self._ids[int(self._id_offsets[number]) : int(self._id_offsets[number + 1]) - 1]


def _map(path: Path) -> mmap.mmap:
    with path.open("rb") as file:
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
