"""Work for many requests, done together by one thread: the one that uses the index, or the model.

While the thread works, requests gather by themselves; an idle engine waits a moment for company. Requests are
worked on together only when asked alike, so an answer never depends on who else asked.
"""

import asyncio
import contextlib
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Generic, Self

from core.serve.waiting import Answer, H, Overloaded, Queue, R, T, Waiting

log = logging.getLogger(__name__)

PATIENCE_SECONDS = 1.0
"""Wait after which a request is worked on only if its client is still there."""


class Abandoned(Exception):
    """The client went away before its request was worked on."""


class WorkFailed(Exception):
    """The work raised on the items of this very request."""


async def _stays() -> bool:
    return False


class Engine(Generic[T, H, R]):
    """Works for many askers: `async with Engine(...) as engine: await engine.ask(...)`."""

    def __init__(
        self,
        work: Callable[[H, Sequence[T]], Sequence[R]],
        thread: ThreadPoolExecutor,
        *,
        max_batch: int,
        max_wait_seconds: float,
        max_queue: int,
    ) -> None:
        """`work` gives a row for each of at most `max_batch` distinct items, in `thread`, which has one worker.

        Two engines may share a thread: their batches take turns.
        """
        self._work, self._thread, self._max_batch = work, thread, max_batch
        self.queue = Queue[T, H, R](max_batch=max_batch, max_wait_seconds=max_wait_seconds, max_queue=max_queue)
        self.counters = Counter(requests=0, items=0, batches=0, overloaded=0, abandoned=0, failed=0)
        """`requests` and `items` count what was let in, `batches` the calls of the work."""

    @property
    def running(self) -> bool:
        """Whether it answers."""
        return not self._task.done()

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._run())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task

    async def ask(self, items: Sequence[T], how: H, gone: Callable[[], Awaitable[bool]] = _stays) -> Answer[R]:
        """The row of each item. `gone` tells whether the asker has left meanwhile.

        Raises:
            Overloaded: too many items wait already.
            Abandoned: `gone` said so, and the items were not worked on.
            WorkFailed: the work raised.
        """
        if not self.running:
            raise WorkFailed("the engine has stopped")
        request = Waiting[T, H, R](items, how, gone, asyncio.get_running_loop().create_future())
        try:
            self.queue.put(request)
        except Overloaded:
            self.counters["overloaded"] += 1
            raise
        self.counters.update(requests=1, items=len(items))
        return await request.answer

    async def _run(self) -> None:
        batch: list[Waiting[T, H, R]] = []
        try:
            while True:
                batch = await self.queue.take()
                await self._serve(batch)
        finally:
            # A bug or the end: whoever still waits is told, for an answer that never comes is worse than none.
            for request in batch:
                if not request.answer.done():
                    request.answer.set_exception(WorkFailed("the engine has stopped"))
            self.queue.refuse(WorkFailed("the engine has stopped"))

    async def _serve(self, batch: Sequence[Waiting[T, H, R]]) -> None:
        groups: dict[H, list[Waiting[T, H, R]]] = {}
        for request in batch:
            if not await self._is_abandoned(request):
                groups.setdefault(request.how, []).append(request)
        for how, requests in groups.items():
            await self._answer(how, requests)

    async def _is_abandoned(self, request: Waiting[T, H, R]) -> bool:
        """After a long wait, asks; so an overload is not made worse by work for clients that gave up."""
        if not request.answer.done() and (request.seconds < PATIENCE_SECONDS or not await request.gone()):
            return False
        self.counters["abandoned"] += 1
        if not request.answer.done():
            request.answer.set_exception(Abandoned())
        return True

    async def _answer(self, how: H, requests: Sequence[Waiting[T, H, R]]) -> None:
        """Work and deliver. When the work raises, each request is tried alone: only the guilty one shall fail."""
        queued = [request.seconds for request in requests]
        # Rollouts of one prompt ask the same: each distinct item is worked on once.
        distinct = list(dict.fromkeys(item for request in requests for item in request.items))
        rows: dict[T, R] = {}
        for start in range(0, len(distinct), self._max_batch):
            part = distinct[start : start + self._max_batch]
            if start and await self._is_abandoned(requests[0]):  # a request of several parts comes alone
                return
            self.counters["batches"] += 1
            done = asyncio.get_running_loop().run_in_executor(self._thread, self._work, how, part)
            await asyncio.wait([done])
            if (error := done.exception()) is not None:
                await self._blame(error, how, requests)
                return
            rows.update(zip(part, done.result(), strict=True))
        for request, seconds in zip(requests, queued, strict=True):
            if not request.answer.done():
                request.answer.set_result(Answer([rows[item] for item in request.items], seconds))

    async def _blame(self, error: BaseException, how: H, requests: Sequence[Waiting[T, H, R]]) -> None:
        if len(requests) > 1:
            for request in requests:
                await self._answer(how, [request])
            return
        request = requests[0]
        log.error("a request failed (%s, %d items)", how, len(request.items), exc_info=error)
        self.counters["failed"] += 1
        if not request.answer.done():
            failed = WorkFailed(f"{type(error).__name__}: {error}")
            failed.__cause__ = error
            request.answer.set_exception(failed)
