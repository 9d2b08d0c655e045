"""From the queries of `POST /rewrite` to rewritten ones, by a language model that answers elsewhere."""

import asyncio
import contextlib
import logging
import tempfile
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import orjson
from pydantic import BeforeValidator, Field

from core.errors import DrError, Missing
from core.llm.client import Client, open_client
from core.llm.endpoint import resolve
from core.llm.errors import BudgetReached
from core.llm.journal import Journal
from core.llm.rewriting import template as templates
from core.llm.rewriting.rewrite import Rewritten, rewrite
from core.llm.rewriting.spec import Rewriter
from core.serve import asking, refused
from core.serve.journal import Entry
from core.serve.protocol import as_list
from core.serve.recipe import Recipe
from core.serve.refused import Body, Refused

log = logging.getLogger(__name__)

RETRIES = 2
"""Further tries of a query that somebody waits for, however many the recipe would grant."""


class Wording(Body):
    """The body of `POST /rewrite`."""

    queries: Annotated[list[str], BeforeValidator(as_list), Field(min_length=1)]
    """Texts, or a single one. A blank one is not asked about."""


@dataclass(eq=False)
class _Line:
    """A client, and those that ask through it."""

    client: Client
    stack: contextlib.AsyncExitStack
    num_askers: int = 0
    is_dead: bool = False
    """Whether the model's server was found gone: a client does not come back from that, a new one asks again."""


class RewriteDesk:
    """One template and one language model, with the recipe they are served by.

    What was asked before is answered from memory while the server runs, and with `llm.cache` in the next one too.
    """

    def __init__(self, recipe: Recipe, rewriter: Rewriter) -> None:
        """Reads the template; asks nothing yet: the model may be started later.

        Raises:
            DrError: no such template, or nobody says where the model is.
        """
        self._recipe = recipe
        self._llm = rewriter.llm.model_copy(update={"retries": min(rewriter.llm.retries, RETRIES)})
        self.template = templates.load(rewriter.prompts)
        self._endpoint = resolve(rewriter.llm.server)
        self._slots = asyncio.Semaphore(rewriter.llm.concurrency)
        self._num_waiting = 0
        self._line: _Line | None = None
        self._opening = asyncio.Lock()
        self._journal: Journal | None = None
        self.counters = Counter(requests=0, queries=0, fallbacks=0, overloaded=0, failed=0)
        self.summary = f"rewriting by {rewriter.llm.server.model} ({rewriter.prompts})"

    @contextlib.asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Answers within the block."""
        with tempfile.TemporaryDirectory(prefix="dr-serve-") as folder, Journal(Path(folder) / "answers") as journal:
            self._journal = journal
            yield
            if self._line is not None:
                await self._line.stack.aclose()

    async def answer(self, body: bytes, entry: Entry) -> bytes:
        """The rewritten queries, as JSON.

        Raises:
            Refused: no such wish, too large, too many wait (503), or the language model does not answer (503).
        """
        asked = refused.read(Wording, body, '{"queries": ["..."]}').queries
        entry.queries = asked
        asking.check_size(asked, self._recipe, "query", "queries")
        wait = {"Retry-After": str(self._recipe.retry_after_seconds)}
        if self._num_waiting + len(asked) > self._recipe.max_queue:
            self.counters["overloaded"] += 1
            raise Refused(503, f"{self._num_waiting} queries wait to be rewritten: try again later", wait)
        self.counters.update(requests=1, queries=len(asked))
        self._num_waiting += len(asked)
        try:
            done = await self._rewritten(asked)
        except DrError as error:
            self.counters["failed"] += 1
            log.warning("rewriting failed: %s", error.what)  # for us: it names addresses that are no client's business
            if not isinstance(error, Missing | BudgetReached):
                raise Refused(500, "rewriting failed (the log says why)") from None
            what = "the language model that rewrites does not answer: try again later (the log says why)"
            raise Refused(503, what, wait) from None
        finally:
            self._num_waiting -= len(asked)
        self.counters["fallbacks"] += sum(each.fallback is not None for each in done)
        rows = [{"query": each.query, "rewritten": each.rewritten, "fallback": each.fallback} for each in done]
        return orjson.dumps({"code": 200, "message": "success", "data": rows})

    def facts(self) -> dict[str, Any]:
        """What is asked and how it fares."""
        prompts = self.template.facts()
        return {"rewrite": {"model": self._llm.server.model, "prompts": prompts, "counters": dict(self.counters)}}

    async def _rewritten(self, queries: list[str]) -> list[Rewritten]:
        """What each query is rewritten to. The first that fails ends the others of its request."""
        async with self._client() as client:

            async def one(query: str) -> Rewritten:
                async with self._slots:
                    return await rewrite(self.template, client, query)

            tasks = [asyncio.create_task(one(query)) for query in queries]
            try:
                return await asyncio.gather(*tasks)
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

    @contextlib.asynccontextmanager
    async def _client(self) -> AsyncIterator[Client]:
        """The client that all share, or a new one where it has found the model's server gone."""
        async with self._opening:
            line = self._line = self._line or await self._opened()
        line.num_askers += 1
        try:
            yield line.client
        except DrError:
            line.is_dead = True
            self._line = None if self._line is line else self._line
            raise
        finally:
            line.num_askers -= 1
            if line.is_dead and not line.num_askers:
                await line.stack.aclose()

    async def _opened(self) -> _Line:
        if self._journal is None:
            raise RuntimeError("the desk is not open")
        stack = contextlib.AsyncExitStack()
        # An address of our own is one that is not waited for: whoever asks here is told at once.
        url = self._endpoint.base_url
        return _Line(await stack.enter_async_context(open_client(self._llm, self._journal, base_url=url)), stack)
