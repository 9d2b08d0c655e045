"""Many pieces of work at once, without all of them in memory."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from contextvars import ContextVar
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")

turn: ContextVar[int | None] = ContextVar("turn", default=None)
"""Number of the item that is being worked on: the client lets the requests of older items go first."""

GRACE_SECONDS = 30.0
"""How long work under way may still take once a piece has failed: its answers are paid for."""


async def over(
    items: Iterable[T], work: Callable[[T], Awaitable[R]], window: int
) -> AsyncGenerator[tuple[int, R], None]:
    """The number of each item (from 0) and what `work` makes of it, as they finish.

    At most `window` items are under way or wait to be taken; `items` is read no further ahead than that. When a
    piece of work fails, no more is begun, what is under way may end, and the error is raised. Use it with
    `contextlib.aclosing` when you may leave the loop early: what is under way is cancelled then.
    """
    finished: asyncio.Queue[asyncio.Task[R]] = asyncio.Queue()
    under_way: dict[asyncio.Task[R], int] = {}

    async def one(number: int, item: T) -> R:
        turn.set(number)
        return await work(item)

    try:
        for number, item in enumerate(items):
            task = asyncio.create_task(one(number, item))
            under_way[task] = number
            task.add_done_callback(finished.put_nowait)
            if len(under_way) >= window:
                yield await _next(finished, under_way)
            else:
                await asyncio.sleep(0)
        while under_way:
            yield await _next(finished, under_way)
    finally:
        for task in under_way:
            task.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)


async def _next(finished: asyncio.Queue[asyncio.Task[R]], under_way: dict[asyncio.Task[R], int]) -> tuple[int, R]:
    task = await finished.get()
    number = under_way.pop(task)
    if not task.cancelled() and task.exception() and under_way:
        await asyncio.wait(under_way, timeout=GRACE_SECONDS)
    return number, task.result()
