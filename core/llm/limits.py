"""How many requests may be under way, and how many a minute: bounded, and bent to what the server bears."""

import asyncio
import heapq
import itertools
import logging
import time

log = logging.getLogger(__name__)

ROUND = 32
"""Tries, at most, after which the bound is looked at; fewer where the bound is lower."""
FEWEST = 8
"""Tries, at least, from which anything is concluded."""
TOO_MANY = 0.5
"""Share of refused tries above which the server is overloaded; a few refusals are no reason to slow down."""
CALM_ROUNDS = 16
"""Rounds without overload after which a bound that once was too high is tried again."""


class Slots:
    """Leave for at most `limit` tries at once, oldest requests first.

    Starts at `most`, since the fastest way to learn what a server bears is to ask it. Halved when most tries of a
    round are refused; grows back half of the way to the last bound that was too much, then probes it now and then.
    (Additive increase and multiplicative decrease, Chiu and Jain 1989, with a memory of the edge as in CUBIC,
    Ha et al. 2008.)
    """

    def __init__(self, most: int) -> None:
        self.most = self.limit = most
        self.under_way = self.peak = 0
        self._edge = most + 1
        self._step = 1
        self._round = self._tries = self._refused = self._calm = 0
        self._waiting: list[tuple[int, int, asyncio.Future[None]]] = []
        self._count = itertools.count()
        self._sleeping: set[asyncio.Future[None]] = set()
        self._opens = 0.0
        self._alarm: asyncio.TimerHandle | None = None
        self._ended: BaseException | None = None

    async def acquire(self, number: int) -> int:
        """Wait for leave; the lower `number` goes first. Gives a ticket for `release`.

        Raises:
            whatever `end` was given.
        """
        self.check()
        future = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, (number, next(self._count), future))
        self._serve()
        try:
            await future
        except asyncio.CancelledError:
            if future.done() and not future.cancelled() and not future.exception():
                self.under_way -= 1
                self._serve()
            raise
        return self._round

    def release(self, ticket: int, *, refused: bool, pause_seconds: float = 0) -> None:
        """A try is over. `refused`: the server had too much to do, and asks for a pause."""
        self.under_way -= 1
        if ticket == self._round:  # a try from before the last cut says nothing of the bound after it
            self._tries += 1
            self._refused += refused
            self._judge(pause_seconds)
        self._serve()

    async def sleep(self, seconds: float) -> None:
        """Wait without a slot; ends early, and raises, when all is ended."""
        self.check()
        if seconds <= 0:
            return
        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()
        alarm = loop.call_later(seconds, lambda: None if future.done() else future.set_result(None))
        try:
            await self.rest(future)
        finally:
            alarm.cancel()

    async def rest(self, future: asyncio.Future[None]) -> None:
        """Wait for `future`; raises when all is ended."""
        self.check()
        self._sleeping.add(future)
        try:
            await future
        finally:
            self._sleeping.discard(future)

    def end(self, error: BaseException) -> None:
        """No further leave: all that wait, and all that come, get `error`; what is under way goes on."""
        if self._ended:
            return
        self._ended = error
        for future in [*(waiting[2] for waiting in self._waiting), *self._sleeping]:
            if not future.done():
                future.set_exception(error)
                future.exception()  # seen: who waited for it may be cancelled before it looks
        self._waiting.clear()

    def check(self) -> None:
        """Raise what `end` was given, if it was."""
        if self._ended:
            raise self._ended

    def _judge(self, pause_seconds: float) -> None:
        if self._tries < max(FEWEST, min(self.limit, ROUND)):
            return
        if self._refused > TOO_MANY * self._tries:
            self._edge, self._step = self.limit, 1
            self.limit = max(1, self.limit // 2)
            self._round, self._calm = self._round + 1, 0
            self._opens = time.monotonic() + pause_seconds
            log.info("the server is overloaded: %d requests at once from here on", self.limit)
        else:
            self._grow()
        self._tries = self._refused = 0

    def _grow(self) -> None:
        target = min(self.most, self._edge - 1)
        if self.limit < target:
            self.limit += max(1, (target - self.limit) // 2)
        elif self.limit < self.most:
            self._calm += 1
            if self._calm >= CALM_ROUNDS:
                self._calm, self._edge, self._step = 0, self._edge + self._step, self._step * 2

    def _serve(self) -> None:
        while self._waiting and self.under_way < self.limit:
            if (left := self._opens - time.monotonic()) > 0:
                self._wake_in(left)
                return
            _, _, future = heapq.heappop(self._waiting)
            if not future.done():
                self.under_way += 1
                self.peak = max(self.peak, self.under_way)
                future.set_result(None)

    def _wake_in(self, seconds: float) -> None:
        if self._alarm:
            self._alarm.cancel()
        self._alarm = asyncio.get_running_loop().call_later(seconds, self._serve)


class Rate:
    """A smooth flow of at most `per_minute` units; in no minute more, and at once no more than a second's worth.

    A token bucket as its virtual clock (the generic cell rate algorithm): the time at which the last unit is due.
    """

    def __init__(self, per_minute: int) -> None:
        burst = max(1, per_minute // 60)
        self._seconds_per_unit = 60 / (per_minute - (burst - 1))
        self._ahead = (burst - 1) * self._seconds_per_unit
        self._due = 0.0

    def take(self, units: float, now: float) -> float:
        """Seconds to wait before `units` may flow; they count as taken."""
        start = max(self._due, now - self._ahead)
        self._due = start + units * self._seconds_per_unit
        return max(0.0, start - now)

    def correct(self, units: float) -> None:
        """So many more (or, below zero, fewer) have flowed than were taken."""
        self._due += units * self._seconds_per_unit
