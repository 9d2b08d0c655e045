"""Prompts wait, bounded, and are answered together: a batch after the other, in one thread."""

import asyncio
import contextlib
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Self

from core.llm.local.ends import Halt
from core.llm.local.generate import Completion, Halted, Prompt

log = logging.getLogger(__name__)

COMPANY_SECONDS = 0.01
"""How long the first of a batch waits for others."""
PATIENCE_SECONDS = 1.0
"""Wait after which a prompt is answered only if its asker is still there."""

Work = Callable[[Sequence[Prompt], Halt], list[Completion]]
Gone = Callable[[], Awaitable[bool]]


class Overloaded(Exception):
    """There is no room for further prompts."""


class Unanswerable(Exception):
    """The model failed at this very prompt, or the server stops."""


@dataclass(frozen=True)
class Limits:
    """How much is done together, and how much waits."""

    rows: int
    """Prompts of a batch."""
    tokens: int
    """Tokens of a batch, each row as long as the longest; a prompt that is longer comes alone."""
    waiting: int
    """Prompts that wait."""


@dataclass(eq=False)
class _Waiting:
    prompt: Prompt
    gone: Gone
    answer: asyncio.Future[Completion]
    since: float = field(default_factory=time.monotonic)


class Batches:
    """`async with Batches(work, limits) as batches: await batches.ask(...)`. Lives on one event loop; no locks."""

    def __init__(self, work: Work, limits: Limits) -> None:
        self._work, self._limits, self._halt = work, limits, Halt()
        self._waiting = deque[_Waiting]()
        self._arrived = asyncio.Event()
        self._thread = ThreadPoolExecutor(1, "generate")

    @property
    def running(self) -> bool:
        """Whether it answers."""
        return not self._task.done()

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._run())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._halt.asked = True  # the batch under way ends with its next token
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task
        await asyncio.to_thread(self._thread.shutdown)

    async def ask(self, prompts: Sequence[Prompt], gone: Gone) -> list[Completion]:
        """The answer to each prompt. `gone` tells whether the asker has left meanwhile.

        Raises:
            Overloaded: too many wait already.
            Unanswerable: the model failed at one of them, the asker left, or the server stops.
        """
        if not self.running:
            raise Unanswerable("the server has stopped")
        if len(self._waiting) + len(prompts) > self._limits.waiting:
            raise Overloaded
        loop = asyncio.get_running_loop()
        asked = [_Waiting(prompt, gone, loop.create_future()) for prompt in prompts]
        self._waiting.extend(asked)
        self._arrived.set()
        answered = await asyncio.gather(*(each.answer for each in asked), return_exceptions=True)
        if failed := next((answer for answer in answered if isinstance(answer, BaseException)), None):
            raise failed
        return [answer for answer in answered if isinstance(answer, Completion)]

    async def _run(self) -> None:
        batch: list[_Waiting] = []
        try:
            while True:
                batch = await self._take()
                await self._answer(batch)
        finally:
            for each in (*batch, *self._waiting):
                _refuse(each, "the server stops")
            self._waiting.clear()

    async def _take(self) -> list[_Waiting]:
        """Those that wait longest, as many as fit together."""
        while not self._waiting:
            self._arrived.clear()
            await self._arrived.wait()
        if len(self._waiting) < self._limits.rows:
            await asyncio.sleep(COMPANY_SECONDS)
        batch: list[_Waiting] = []
        longest = 0
        while self._waiting and len(batch) < self._limits.rows:
            prompt = self._waiting[0].prompt
            longest = max(longest, len(prompt.tokens) + prompt.max_tokens)
            if batch and longest * (len(batch) + 1) > self._limits.tokens:
                break
            batch.append(self._waiting.popleft())
        return [each for each in batch if not await _is_gone(each)]

    async def _answer(self, batch: Sequence[_Waiting]) -> None:
        """Answer a batch. When the model fails, each half is tried alone: only the guilty shall go without."""
        if not batch:
            return
        prompts = [each.prompt for each in batch]
        done = asyncio.get_running_loop().run_in_executor(self._thread, self._work, prompts, self._halt)
        try:
            answers = await done
        except Halted:
            for each in batch:
                _refuse(each, "the server stops")
        except (RuntimeError, ValueError, IndexError) as error:  # of torch: out of memory, a fault of the model's code
            if len(batch) > 1:
                half = len(batch) // 2
                await self._answer(batch[:half])
                await self._answer(batch[half:])
                return
            log.exception("the model failed at a prompt of %d tokens", len(prompts[0].tokens))
            _refuse(batch[0], f"the model failed: {type(error).__name__}: {error}")
        else:
            for each, answer in zip(batch, answers, strict=True):
                if not each.answer.done():
                    each.answer.set_result(answer)


async def _is_gone(each: _Waiting) -> bool:
    if time.monotonic() - each.since < PATIENCE_SECONDS or not await each.gone():
        return False
    _refuse(each, "the client went away")
    return True


def _refuse(each: _Waiting, why: str) -> None:
    if not each.answer.done():
        each.answer.set_exception(Unanswerable(why))
