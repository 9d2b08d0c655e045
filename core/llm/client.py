"""One client for every server with `POST /v1/chat/completions`."""

import asyncio
import contextlib
import difflib
import itertools
import logging
import time
from collections.abc import AsyncIterator, Iterator
from typing import NoReturn

from core.errors import DrError, Missing
from core.llm.chat import Answer, Request
from core.llm.endpoint import resolve
from core.llm.errors import Unanswered
from core.llm.faults import Fault, Verdict
from core.llm.journal import Journal
from core.llm.limits import Slots
from core.llm.meter import Meter, counted
from core.llm.outage import Outage
from core.llm.over import turn
from core.llm.spec import Llm
from core.llm.usage import Usage
from core.llm.wire import Wire, session
from core.retry import backoff, spread

log = logging.getLogger(__name__)

LONGEST_PAUSE_SECONDS = 600.0
"""A server that asks for more has closed for the day: the run ends, and goes on when it is called again."""
RETRIES_AT_FIRST = 2
"""Retries while nothing was ever heard from the address: a wrong one is told at once."""
REFUSALS_PER_RETRY = 5
"""A refusal (429, 503) while others are answered is no failure of the request; that many count as one retry."""
LOOK_SECONDS = 0.1
"""Between two looks for an answer that another process is getting."""
PATIENCES = 4
"""Time-outs that it gets for it, its place in the queue included; then the request is asked twice."""
HOPELESS = 8
"""So many requests given up without any answer meanwhile: the server does not work."""

_HINTS = {
    "context too long": "cut the document (`max_document_characters`), or serve the model with a longer context",
    "time-out": "raise `timeout_seconds`, or lower `max_tokens`",
}


@contextlib.asynccontextmanager
async def open_client(llm: Llm, journal: Journal, *, base_url: str | None = None) -> AsyncIterator["Client"]:
    """A client for the length of the block. `base_url`: where a server that we started ourselves is.

    Raises:
        UsageError, Missing: no usable address or key.
    """
    endpoint = resolve(llm.server, base_url)
    with contextlib.ExitStack() as stack:
        cache = stack.enter_context(Journal(llm.cache, shared=True)) if llm.cache else None
        async with session(endpoint, llm.timeout_seconds) as http:
            yield Client(llm, journal, cache, Wire(llm, endpoint, http), comes_back=base_url is None)


class _Course:
    """How one request fares over its tries."""

    def __init__(self, number: int, answers: int) -> None:
        self.number = number
        """Its place among those that wait; the lowest goes first."""
        self.answers_before = answers
        """Answers that the client had when it was first tried."""
        self.failures = self.refusals = 0
        self.streak = 0
        """Steps of the backoff: one for a failure while nobody is answered, half of one while others are."""
        self.others_answered = self.excused = False
        """Of the last try: whether others were answered meanwhile, and whether the server was not there."""

    def count(self, fault: Fault) -> None:
        """A try ended in `fault`."""
        if fault.verdict is Verdict.BUSY and self.others_answered:
            self.refusals += 1
        else:
            self.failures += 1
        self.streak += 1 if self.others_answered else 2

    @property
    def used(self) -> int:
        """Retries that count against the recipe's."""
        return self.failures + self.refusals // REFUSALS_PER_RETRY


class Client:
    """Asks; see `open_client`. Every answer is in the journal before it is given out."""

    def __init__(
        self, llm: Llm, journal: Journal, cache: Journal | None, wire: Wire, *, comes_back: bool = True
    ) -> None:
        """`comes_back`: a server that goes away may be started again; one of our own is not."""
        self.usage = Usage(llm.budget)
        self.window = 4 * llm.concurrency
        """How many requests to have in `over` at once: those that wait for a retry leave their slot to others."""
        self._llm, self._journal, self._cache, self._wire = llm, journal, cache, wire
        self._slots, self._meter = Slots(llm.concurrency), Meter(llm, journal.spent)
        patience = (llm.retries, llm.restart_seconds) if comes_back else (min(llm.retries, RETRIES_AT_FIRST), 0.0)
        self._outage = Outage(self._slots, *patience)
        self._numbers = itertools.count()
        self._pending: dict[str, asyncio.Event] = {}
        self._hopeless = 0

    async def ask(self, request: Request) -> Answer:
        """The answer, from the journal, the cache or the server.

        Raises:
            Unanswered: this request has none; others may.
            Missing: the server is not there, or does not take the key or the model. All further calls raise it too.
            BudgetReached: the next request might cost more than is left; likewise.
        """
        self.usage.requests += 1
        digest = request.digest(self._llm)
        while pending := self._pending.get(digest):
            await pending.wait()
        if known := self._known(digest):
            return known
        done = self._pending[digest] = asyncio.Event()
        try:
            async with self._claimed(digest):
                return self._known(digest) or await self._answered(request, digest)
        except Unanswered:
            self.usage.unanswered += 1
            raise
        finally:
            del self._pending[digest]
            done.set()

    @contextlib.asynccontextmanager
    async def _claimed(self, digest: str) -> AsyncIterator[None]:
        """Let another process that shares the cache, and asks the same just now, answer first; not for ever."""
        if self._cache is None:
            yield
            return
        patience = time.monotonic() + PATIENCES * self._llm.timeout_seconds
        while not (ours := self._cache.claim(digest)) and digest not in self._cache and time.monotonic() < patience:
            await self._slots.sleep(LOOK_SECONDS)
            self._cache.get(digest)  # reads what was added meanwhile
        try:
            yield
        finally:
            if ours:
                self._cache.release(digest)

    def _known(self, digest: str) -> Answer | None:
        if answer := self._journal.get(digest):
            self.usage.journal_hits += 1
        elif self._cache is not None and (answer := self._cache.get(digest)):
            self.usage.cache_hits += 1
            with self._ending():
                self._journal.add(digest, answer, paid=False)
        return answer

    async def _answered(self, request: Request, digest: str) -> Answer:
        self._meter.check(request)
        number = turn.get()
        course = _Course(next(self._numbers) if number is None else number, self.usage.answers)
        while True:
            started = time.monotonic()
            outcome = await self._try(course, digest, request)
            if isinstance(outcome, Answer):
                return outcome
            self.usage.faults[outcome.kind] += 1
            if outcome.verdict is Verdict.REWORDED:
                continue
            if self._outage.is_final:
                gone = f"does not answer any more, for {self._outage.lasted_seconds:.0f} s now"
                self._end(gone, outcome, "start it again, then run again: what was answered is kept")
            if not course.excused:
                course.count(outcome)
                await self._bear(outcome, course)
            self.usage.retries += 1
            if not course.excused:  # an outage has its own pauses
                await self._pause(outcome, course, time.monotonic() - started)

    async def _try(self, course: _Course, digest: str, request: Request) -> Answer | Fault:
        """One HTTP request, within all limits; an answer is journalled."""
        answers = self.usage.answers
        ticket = await self._slots.acquire(course.number)
        self.usage.most_at_once = self._slots.peak
        outcome: Answer | Fault | None = None
        try:
            async with self._outage.passing() as probe:
                outcome = await self._send(digest, request)
                others = course.others_answered = self.usage.answers > answers
                course.excused = self._wire.heard and self._outage.excuses(outcome, probe=probe, others_answered=others)
        finally:
            fault = outcome if isinstance(outcome, Fault) else None
            refused = fault is not None and (fault.verdict is Verdict.BUSY or fault.kind == "time-out")
            pause = min((fault and fault.pause_seconds) or 0.0, LONGEST_PAUSE_SECONDS)
            self._slots.release(ticket, refused=refused, pause_seconds=pause)
        return outcome

    async def _send(self, digest: str, request: Request) -> Answer | Fault:
        """Send it when the purse and the limits per minute let it."""
        answer = None
        with self._ending():
            permit = await self._meter.admit(request)
        try:
            await self._slots.sleep(self._meter.wait(permit))
            outcome = await self._wire.send(request)
            if isinstance(outcome, Answer):
                answer = outcome = self._keep(digest, counted(outcome, request))
        finally:
            self._meter.settle(permit, answer)
        return outcome

    def _keep(self, digest: str, answer: Answer) -> Answer:
        with self._ending():
            self._journal.add(digest, answer)
            if self._cache is not None and digest not in self._cache:
                self._cache.add(digest, answer)
        self._hopeless = 0
        self.usage.answers += 1
        self.usage.prompt_tokens += answer.prompt_tokens
        self.usage.completion_tokens += answer.completion_tokens
        return answer

    async def _pause(self, fault: Fault, course: _Course, spent_seconds: float) -> None:
        if fault.pause_seconds is None:  # what the try itself took has been waited already
            seconds = max(0.0, backoff((course.streak + 1) // 2) - spent_seconds)
        else:
            seconds = spread(fault.pause_seconds)
        log.debug("%s, again in %.1f s: %s", fault.kind, seconds, fault.what)
        await self._slots.sleep(seconds)

    async def _bear(self, fault: Fault, course: _Course) -> None:
        """Return when the request may be tried again; raise what its failure means otherwise."""
        match fault.verdict:
            case Verdict.LATER | Verdict.BUSY | Verdict.AWAY:
                if (fault.pause_seconds or 0) > LONGEST_PAUSE_SECONDS:
                    self._end(f"asks for a pause of {fault.pause_seconds:,.0f} s", fault, "run again then")
                if course.used <= (self._llm.retries if self._wire.heard else min(self._llm.retries, RETRIES_AT_FIRST)):
                    return
                if fault.verdict is Verdict.AWAY:
                    self._end("does not answer", fault, "is it running, and is `base_url` right?")
            case Verdict.KEY:
                names = " or ".join(self._wire.endpoint.key_names) or "the key's variable"
                what = "does not accept the key" if self._wire.endpoint.key else "asks for a key, and none is set"
                self._end(what, fault, f"set {names}; see the account when the key is right")
            case Verdict.MODEL:
                await self._no_model(fault)
            case Verdict.ADDRESS:
                self._end("is no server of chat completions", fault, "`base_url` goes up to and with /v1")
        self._give_up(fault, course)

    def _give_up(self, fault: Fault, course: _Course) -> NoReturn:
        """One request is lost, unless the server itself seems to be: no other was answered all the while."""
        if fault.verdict is not Verdict.REQUEST and self.usage.answers == course.answers_before:
            self._hopeless += 1
            if self._hopeless >= HOPELESS:
                self._end(f"failed {HOPELESS} requests in a row", fault, "see the server's own log")
        raise Unanswered(fault.kind, f"no answer ({fault.kind}): {fault.what}", hint=_HINTS.get(fault.kind))

    async def _no_model(self, fault: Fault) -> NoReturn:
        name, known = self._llm.server.model, await self._wire.models()
        if name in known or not known:
            self._end("knows no such path", fault, "`base_url` goes up to and with /v1")
        near = difflib.get_close_matches(name, known, n=3, cutoff=0.4) or known[:5]
        self._end(f"does not know the model `{name}`", fault, f"it has {', '.join(f'`{known}`' for known in near)}")

    def _end(self, what: str, fault: Fault, hint: str) -> NoReturn:
        """The whole run is over: no request begins any more."""
        what = f"the language model's server {what} ({fault.kind}): {fault.what}"
        with self._ending():
            raise Missing(what, where=self._wire.endpoint.shown, hint=hint)

    @contextlib.contextmanager
    def _ending(self) -> Iterator[None]:
        """What is raised inside ends the run: nothing begins any more, what is under way may end."""
        try:
            yield
        except DrError as error:
            self._slots.end(error)
            raise
