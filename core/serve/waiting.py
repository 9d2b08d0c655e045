"""Requests that wait for their turn: a bounded queue, emptied in batches. Lives on one event loop; no locks."""

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic, NamedTuple, TypeVar

T = TypeVar("T")
"""What is asked for, such as a query."""
H = TypeVar("H")
"""What decides an answer beside it."""
R = TypeVar("R")
"""What one of them is answered with."""


class Answer(NamedTuple, Generic[R]):
    """The rows of one request, one for each item, and how long it waited before it was worked on."""

    rows: list[R]
    queued_seconds: float


class Overloaded(Exception):
    """The queue has no room for the request."""


@dataclass(eq=False)
class Waiting(Generic[T, H, R]):
    """A request, with the future that its asker awaits."""

    items: Sequence[T]
    how: H
    gone: Callable[[], Awaitable[bool]]
    """Whether the asker has left meanwhile."""
    answer: asyncio.Future[Answer[R]]
    since: float = field(default_factory=time.monotonic)

    @property
    def seconds(self) -> float:
        """How long it waits."""
        return time.monotonic() - self.since


class Queue(Generic[T, H, R]):
    """First come, first served."""

    def __init__(self, *, max_batch: int, max_wait_seconds: float, max_queue: int) -> None:
        self._max_batch, self._max_wait, self._max_queue = max_batch, max_wait_seconds, max_queue
        self._requests = deque[Waiting[T, H, R]]()
        self.num_items = 0
        """Items of all requests that wait."""
        self._arrived, self._full = asyncio.Event(), asyncio.Event()

    def put(self, request: Waiting[T, H, R]) -> None:
        """Let `request` wait.

        Raises:
            Overloaded: more than `max_queue` items would wait.
        """
        if self.num_items + len(request.items) > self._max_queue:
            raise Overloaded
        self._requests.append(request)
        self.num_items += len(request.items)
        self._arrived.set()
        if self.num_items >= self._max_batch:
            self._full.set()

    async def take(self) -> list[Waiting[T, H, R]]:
        """Those that wait longest, up to `max_batch` items; a request that is larger comes alone.

        Waits for the first, and then until it has waited `max_wait_seconds` or a batch is full.
        """
        while not self._requests:
            self._arrived.clear()
            await self._arrived.wait()
        if (left := self._max_wait - self._requests[0].seconds) > 0 and self.num_items < self._max_batch:
            self._full.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(left):
                    await self._full.wait()
        batch = [self._requests.popleft()]
        size = len(batch[0].items)
        while self._requests and size + len(self._requests[0].items) <= self._max_batch:
            batch.append(self._requests.popleft())
            size += len(batch[-1].items)
        self.num_items -= size
        return batch

    def refuse(self, error: Exception) -> None:
        """Answer all that wait with `error`: nobody will serve them."""
        for request in self._requests:
            if not request.answer.done():
                request.answer.set_exception(error)
        self._requests.clear()
        self.num_items = 0
