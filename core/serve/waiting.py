"""Requests that wait to be searched: a bounded queue, emptied in batches. Lives on one event loop; no locks."""

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from core.retrieval.spec import Method
from core.serve.protocol import Found


class How(NamedTuple):
    """What decides an answer beside the query."""

    method: Method
    k: int
    alpha: float | None
    """Weight of BM25; None unless the method is hybrid."""


class Answer(NamedTuple):
    """Hits of one request, a row for each query, and how long it waited before it was searched."""

    found: list[list[Found]]
    queued_seconds: float


class Overloaded(Exception):
    """The queue has no room for the request."""


@dataclass(eq=False)
class Waiting:
    """A request, with the future that its asker awaits."""

    queries: Sequence[str]
    how: How
    gone: Callable[[], Awaitable[bool]]
    """Whether the asker has left meanwhile."""
    answer: asyncio.Future[Answer]
    since: float = field(default_factory=time.monotonic)

    @property
    def seconds(self) -> float:
        """How long it waits."""
        return time.monotonic() - self.since


class Queue:
    """First come, first searched."""

    def __init__(self, *, max_batch: int, max_wait_seconds: float, max_queue: int) -> None:
        self._max_batch, self._max_wait, self._max_queue = max_batch, max_wait_seconds, max_queue
        self._requests = deque[Waiting]()
        self.num_queries = 0
        """Queries of all requests that wait."""
        self._arrived, self._full = asyncio.Event(), asyncio.Event()

    def put(self, request: Waiting) -> None:
        """Let `request` wait.

        Raises:
            Overloaded: more than `max_queue` queries would wait.
        """
        if self.num_queries + len(request.queries) > self._max_queue:
            raise Overloaded
        self._requests.append(request)
        self.num_queries += len(request.queries)
        self._arrived.set()
        if self.num_queries >= self._max_batch:
            self._full.set()

    async def take(self) -> list[Waiting]:
        """Those that wait longest, up to `max_batch` queries; a request that is larger comes alone.

        Waits for the first, and then until it has waited `max_wait_seconds` or a batch is full.
        """
        while not self._requests:
            self._arrived.clear()
            await self._arrived.wait()
        if (left := self._max_wait - self._requests[0].seconds) > 0 and self.num_queries < self._max_batch:
            self._full.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(left):
                    await self._full.wait()
        batch = [self._requests.popleft()]
        size = len(batch[0].queries)
        while self._requests and size + len(self._requests[0].queries) <= self._max_batch:
            batch.append(self._requests.popleft())
            size += len(batch[-1].queries)
        self.num_queries -= size
        return batch

    def refuse(self, error: Exception) -> None:
        """Answer all that wait with `error`: nobody will search for them."""
        for request in self._requests:
            if not request.answer.done():
                request.answer.set_exception(error)
        self._requests.clear()
        self.num_queries = 0
