"""`/retrieve` over a search engine of others: many callers, one limit, one memory."""

import contextlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from core.remote.engine import RemoteEngine
from core.remote.spec import AnyEngine
from core.serve import asking, protocol
from core.serve.asking import Gone
from core.serve.journal import Entry
from core.serve.protocol import Found, Question
from core.serve.recipe import Recipe
from core.serve.refused import Refused
from core.serve.searching import How

TOGETHER = 16
"""Queries that are worked on together, for each request that may be under way: those that come after wait so long."""


class EngineDesk:
    """One engine, with the recipe it is served by."""

    def __init__(self, recipe: Recipe, spec: AnyEngine, thread: ThreadPoolExecutor) -> None:
        """Asks an ordinary query: fails now rather than later.

        Raises:
            ServiceFailed: the engine is not there.
            ServiceRefused: it is not as the recipe says.
        """
        self._recipe, self._spec = recipe, spec
        self.remote = RemoteEngine(spec)
        with contextlib.ExitStack() as on_failure:
            on_failure.callback(self.remote.close)
            self.remote.check()
            on_failure.pop_all()
        self.engine = asking.engine(recipe, self._work, thread, min(recipe.max_batch, spec.concurrency * TOGETHER))
        self.summary = f"{spec.service} ({spec.url})"

    async def answer(self, body: bytes, entry: Entry, gone: Gone) -> bytes:
        """The answer to a question, as JSON; notes in `entry` what is learnt on the way.

        Raises:
            Refused: no question, too large, no room in the queue, or the engine does not answer (502).
        """
        question = protocol.read(body)
        entry.queries = question.queries
        entry.how = how = self._how(question)
        asking.check_size(question.queries, self._recipe, "query", "queries")
        wait = self._recipe.retry_after_seconds
        found = await asking.ask(self.engine, question.queries, how, gone, entry, retry_after=wait, many="queries")
        return protocol.answer(found, scores=question.return_scores, engine=self._spec.type, topk=how.k)

    def facts(self) -> dict[str, Any]:
        """What is asked and how it fares. The engine is not asked for it: that would count against its limit."""
        counters = {("queries" if name == "items" else name): count for name, count in self.engine.counters.items()}
        return {
            "engine": self.remote.facts(),
            "defaults": {"topk": self._recipe.top_k},
            "queue": {"queries": self.engine.queue.num_items, "max": self._recipe.max_queue},
            "counters": counters,
        }

    def _how(self, question: Question) -> How:
        """Raises Refused (422) for what no engine of others knows."""
        if question.retrieval_type is not None or question.hybrid_alpha is not None:
            what = f"{self._spec.service} is asked here: it has neither `retrieval_type` nor `hybrid_alpha`"
            raise Refused(422, what)
        return How(None, asking.depth(question, self._recipe), None)

    def _work(self, how: How, queries: Sequence[str]) -> list[list[Found]]:
        return self.remote.search(queries, how.k)
