"""Which rows stand in which batch: a shuffle of each epoch, without replacement, the same in all processes."""

import copy
import random
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeAlias

import torch
from sentence_transformers import SentenceTransformer
from torch.utils.data import DataLoader, Dataset, Sampler

from core.embed.fit.plan import Plan
from core.embed.rows.row import Row, Rows

Place: TypeAlias = tuple[int, int]
"""Epoch and number of a row. The epoch goes along because a process that tokenises ahead has rows of its own."""


class Order(Sampler[list[Place]]):
    """The places of each batch of process `rank`."""

    def __init__(self, num_rows: int, plan: Plan, *, seed: int, rank: int) -> None:
        self._num_rows, self._plan, self._seed, self._rank = num_rows, plan, seed, rank
        self._epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Epochs count from 0."""
        self._epoch = epoch

    def __len__(self) -> int:
        return self._plan.batches_an_epoch

    def __iter__(self) -> Iterator[list[Place]]:
        numbers = list(range(self._num_rows))
        random.Random(f"{self._seed}/order/{self._epoch}").shuffle(numbers)  # noqa: S311 - no secret hangs on it
        size = self._plan.batch_size
        for batch in range(len(self)):
            start = (batch * self._plan.processes + self._rank) * size
            yield [(self._epoch, number) for number in numbers[start : start + size]]


class RowSet(Dataset[Row]):
    """Rows as torch asks for them."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self._epoch: int | None = None

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, place: Place) -> Row:
        epoch, number = place
        if epoch != self._epoch:
            self._rows.set_epoch(epoch)
            self._epoch = epoch
        return self._rows[number]


class Loader(DataLoader[Row]):
    """The batches of an epoch. A resume that skips batches makes a plain DataLoader around the same order."""

    def __init__(
        self, rows: Rows, order: Order, collate: Callable[[Sequence[Row]], dict[str, Any]], *, workers: int
    ) -> None:
        self._order = order
        super().__init__(
            RowSet(rows),
            batch_sampler=order,
            collate_fn=collate,
            num_workers=workers,
            # Not fork: threads of torch and of tokenizers do not live through it.
            multiprocessing_context="forkserver" if workers else None,
            persistent_workers=workers > 0,
            generator=torch.Generator(),  # else each epoch takes a number from the one that dropout draws from
        )

    def set_epoch(self, epoch: int) -> None:
        """Epochs count from 0."""
        self._order.set_epoch(epoch)


def weightless(model: SentenceTransformer) -> SentenceTransformer:
    """A copy that can tokenise, and be sent to another process for little: its weights have no values."""
    tensors = [*model.parameters(), *model.buffers()]
    return copy.deepcopy(model, {id(tensor): tensor.detach().to("meta") for tensor in tensors})
