"""A server that had answered and is gone, as for a restart: all wait, and one request at a time looks for it."""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator

from core.llm.chat import Answer
from core.llm.faults import LOST, Fault, Verdict
from core.llm.limits import Slots
from core.retry import backoff

log = logging.getLogger(__name__)

LONGEST_PROBE_SECONDS = 5.0
"""Between two looks for a server that is gone, at most."""


class Outage:
    """The state of the address, shared by all requests of a client."""

    def __init__(self, slots: Slots, retries: int, patience_seconds: float) -> None:
        self._slots, self._retries, self._patience_seconds = slots, retries, patience_seconds
        self._began: float | None = None
        self._probes = 0
        """That failed since it began."""
        self._probing = False
        self._waiting: set[asyncio.Future[None]] = set()

    @contextlib.asynccontextmanager
    async def passing(self) -> AsyncIterator[bool]:
        """Wait while the server is gone; in the block the request may go out, as the probe or not.

        Raises:
            whatever ended the run meanwhile.
        """
        while self._began is not None and self._probing:
            await self._next_change()
        if self._began is None:
            yield False
            return
        self._probing = True
        try:
            await self._slots.sleep(min(LONGEST_PROBE_SECONDS, backoff(self._probes + 1)))
            yield True
        finally:
            self._probing = False
            self._wake()

    def excuses(self, outcome: Answer | Fault, *, probe: bool, others_answered: bool) -> bool:
        """Take in how a try ended; whether its failure was the server's absence and no fault of the request.

        A connection that is lost may also be the request's doing: it is excused only when nobody else was answered,
        and the probe itself is not, so that a request which always breaks its connection comes to an end.
        """
        refused = isinstance(outcome, Fault) and outcome.verdict is Verdict.AWAY
        lost = isinstance(outcome, Fault) and outcome.kind == LOST
        if not (refused or lost):
            if isinstance(outcome, Answer) or probe:
                self._end()
            return False
        if probe:
            self._probes += 1
        elif self._began is None and (refused or not others_answered):
            self._begin(outcome)
        return refused or (self._began is not None and not probe)

    @property
    def lasted_seconds(self) -> float:
        """How long the server has been gone; 0: it is there."""
        return 0.0 if self._began is None else time.monotonic() - self._began

    @property
    def is_final(self) -> bool:
        """Whether it was looked for long enough, and often enough."""
        enough = self._probes > self._retries and self.lasted_seconds >= self._patience_seconds
        return self._began is not None and enough

    def _begin(self, outcome: Answer | Fault) -> None:
        self._began, self._probes = time.monotonic(), 0
        kind = outcome.kind if isinstance(outcome, Fault) else ""
        log.warning(
            "the language model's server is gone (%s): all requests wait while it is looked for, %g s at least",
            kind,
            self._patience_seconds,
        )

    def _end(self) -> None:
        if self._began is not None:
            log.warning("the language model's server is back after %.0f s", self.lasted_seconds)
            self._began = None
            self._wake()

    async def _next_change(self) -> None:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.add(future)
        try:
            await self._slots.rest(future)
        finally:
            self._waiting.discard(future)

    def _wake(self) -> None:
        for future in self._waiting:
            if not future.done():
                future.set_result(None)
