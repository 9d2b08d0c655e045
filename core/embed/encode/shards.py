"""Vectors on disk while they are made: a file for each shard, whole or absent, and in the end one file for all."""

# N texts, H hidden

import shutil
from pathlib import Path

import numpy as np

from core.errors import ContractError
from core.retrieval.arrays import open_array
from core.retrieval.encoder import Vectors


class Shards:
    """The shards in one folder, numbered from 0."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(exist_ok=True)

    def has(self, number: int) -> bool:
        """Whether this one is done."""
        return self._path(number).exists()

    def add(self, number: int, vectors_NH: Vectors) -> None:
        """Keep a shard; killed meanwhile, it is as if it never began."""
        path = self._path(number)
        temporary = path.with_suffix(".tmp")
        with temporary.open("wb") as file:
            np.save(file, vectors_NH)
        temporary.replace(path)

    def join(self, count: int, total: int, dimension: int, place: Path) -> None:
        """The first `count` shards as one array of `total` rows in the file `place`; one shard is held at a time.

        Raises:
            ContractError: they hold more or fewer rows, or one is damaged.
        """
        header = {"descr": "<f4", "fortran_order": False, "shape": (total, dimension)}
        joined = 0
        with place.open("wb") as file:
            np.lib.format.write_array_header_1_0(file, header)
            for number in range(count):
                part_NH = open_array(self._path(number))
                file.write(np.ascontiguousarray(part_NH, "<f4").data)
                joined += len(part_NH)
        if joined != total:
            raise ContractError(f"the shards hold {joined:,} vectors of {total:,} texts", where=str(self._folder))

    def remove(self) -> None:
        """All of them, when they are joined."""
        shutil.rmtree(self._folder)

    def _path(self, number: int) -> Path:
        return self._folder / f"{number:06}.npy"
