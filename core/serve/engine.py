"""Searches of many requests, done together by the one thread that uses the index.

While the thread searches, requests gather by themselves; an idle engine waits a moment for company. Requests are
searched together only when method, k and alpha are equal, so an answer never depends on who else asked.
"""

import asyncio
import contextlib
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import Protocol

from core.retrieval.spec import Method
from core.serve.protocol import Found
from core.serve.waiting import Answer, How, Overloaded, Queue, Waiting
from core.types import Document, Hit

log = logging.getLogger(__name__)

PATIENCE_SECONDS = 1.0
"""Wait after which a request is searched only if its client is still there."""


class Index(Protocol):
    """What the engine needs of an open index."""

    def search(
        self, queries: Sequence[str], k: int, *, method: Method | None = None, alpha: float | None = None
    ) -> list[list[Hit]]:
        """The best `k` hits of each query, best first."""
        ...

    def documents(self, ids: Iterable[str]) -> list[Document]:
        """The documents with these ids, in their order."""
        ...


class Abandoned(Exception):
    """The client went away before its queries were searched."""


class SearchFailed(Exception):
    """The index raised on the queries of this very request."""


async def _stays() -> bool:
    return False


class Engine:
    """Searches an index for many askers: `async with Engine(...) as engine: await engine.ask(...)`."""

    def __init__(self, index: Index, *, max_batch: int, max_wait_seconds: float, max_queue: int) -> None:
        self._index, self._max_batch = index, max_batch
        self.queue = Queue(max_batch=max_batch, max_wait_seconds=max_wait_seconds, max_queue=max_queue)
        self.counters = Counter(requests=0, queries=0, batches=0, overloaded=0, abandoned=0, failed=0)
        """`requests` and `queries` count what was let in, `batches` the calls of the index."""

    @property
    def running(self) -> bool:
        """Whether it answers."""
        return not self._work.done()

    async def __aenter__(self) -> "Engine":
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="search")
        self._work = asyncio.create_task(self._run())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._work.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._work
        self._thread.shutdown()

    async def ask(self, queries: Sequence[str], how: How, gone: Callable[[], Awaitable[bool]] = _stays) -> Answer:
        """The hits of each query; a blank query has none. `gone` tells whether the asker has left meanwhile.

        Raises:
            Overloaded: too many queries wait already.
            Abandoned: `gone` said so, and the queries were not searched.
            SearchFailed: the index raised.
        """
        if not self.running:
            raise SearchFailed("the engine has stopped")
        request = Waiting(queries, how, gone, asyncio.get_running_loop().create_future())
        try:
            self.queue.put(request)
        except Overloaded:
            self.counters["overloaded"] += 1
            raise
        self.counters.update(requests=1, queries=len(queries))
        return await request.answer

    async def _run(self) -> None:
        batch: list[Waiting] = []
        try:
            while True:
                batch = await self.queue.take()
                await self._serve(batch)
        finally:
            # A bug or the end: whoever still waits is told, for an answer that never comes is worse than none.
            for request in batch:
                if not request.answer.done():
                    request.answer.set_exception(SearchFailed("the engine has stopped"))
            self.queue.refuse(SearchFailed("the engine has stopped"))

    async def _serve(self, batch: Sequence[Waiting]) -> None:
        groups: dict[How, list[Waiting]] = {}
        for request in batch:
            if not await self._is_abandoned(request):
                groups.setdefault(request.how, []).append(request)
        for how, requests in groups.items():
            await self._answer(how, requests)

    async def _is_abandoned(self, request: Waiting) -> bool:
        """After a long wait, asks; so an overload is not made worse by work for clients that gave up."""
        if not request.answer.done() and (request.seconds < PATIENCE_SECONDS or not await request.gone()):
            return False
        self.counters["abandoned"] += 1
        if not request.answer.done():
            request.answer.set_exception(Abandoned())
        return True

    async def _answer(self, how: How, requests: Sequence[Waiting]) -> None:
        """Search and deliver. When the index raises, each request is tried alone: only the guilty one shall fail."""
        queued = [request.seconds for request in requests]
        queries = [query for request in requests for query in request.queries]
        search = asyncio.get_running_loop().run_in_executor(self._thread, self._search, how, queries)
        await asyncio.wait([search])
        if (error := search.exception()) is None:
            rows = iter(search.result())
            for request, seconds in zip(requests, queued, strict=True):
                found = list(islice(rows, len(request.queries)))
                if not request.answer.done():
                    request.answer.set_result(Answer(found, seconds))
        elif len(requests) > 1:
            for request in requests:
                await self._answer(how, [request])
        else:
            log.error("a search failed (%s, %d queries)", how, len(queries), exc_info=error)
            self.counters["failed"] += 1
            if not requests[0].answer.done():
                requests[0].answer.set_exception(SearchFailed(f"{type(error).__name__}: {error}"))

    def _search(self, how: How, queries: Sequence[str]) -> list[list[Found]]:
        """In the thread. Rollouts of one prompt ask the same: each distinct query is searched once."""
        distinct = list(dict.fromkeys(query for query in queries if query.strip()))
        hits: dict[str, list[Hit]] = {}
        for start in range(0, len(distinct), self._max_batch):
            part = distinct[start : start + self._max_batch]
            self.counters["batches"] += 1
            rows = self._index.search(part, how.k, method=how.method, alpha=how.alpha)
            hits.update(zip(part, rows, strict=True))
        ids = list(dict.fromkeys(hit.document_id for row in hits.values() for hit in row))
        documents = dict(zip(ids, self._index.documents(ids), strict=True))
        return [[(documents[id_], score) for id_, score in hits.get(query, [])] for query in queries]
