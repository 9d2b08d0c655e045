"""From a request's body to its answer: fills in what the request leaves open, holds the recipe's limits."""

import json
import logging
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

import orjson

from core import digest
from core.errors import RecipeError
from core.retrieval.index import OpenIndex
from core.retrieval.spec import Method
from core.serve import protocol
from core.serve.engine import Abandoned, Engine, SearchFailed
from core.serve.journal import Entry
from core.serve.protocol import Question, Refused
from core.serve.recipe import Recipe
from core.serve.waiting import How, Overloaded

log = logging.getLogger(__name__)

WARM_UP = "预热 warm up"


class Desk:
    """One open index, with the recipe it is served by."""

    def __init__(self, recipe: Recipe, index: OpenIndex) -> None:
        """Searches once by every method: compiles the kernel, loads the model, and fails now rather than later.

        Raises:
            RecipeError: the index cannot answer by `retrieval_method`.
        """
        self._recipe, self._index = recipe, index
        self._method: Method = recipe.retrieval_method or index.methods[0]
        if self._method not in index.methods:
            raise RecipeError(
                f"`retrieval_method` is {self._method}, this index answers by {' or '.join(index.methods)}",
                where=str(recipe.index),
            )
        if self._recipe.alpha is not None and index.alpha is None:
            log.warning(
                "`alpha` has no effect: it weighs the legs of a hybrid index, this one answers by %s", index.methods[0]
            )
        for method in index.methods:
            index.search([WARM_UP], recipe.top_k, method=method)
        self.engine = Engine(
            index,
            max_batch=recipe.max_batch,
            max_wait_seconds=recipe.max_wait_milliseconds / 1000,
            max_queue=recipe.max_queue,
        )
        self.summary = f"{recipe.index} ({len(index):,} documents, by {self._method})"
        self.statuses: Counter[int] = Counter()
        """HTTP statuses of the answers of `/retrieve`."""

    async def answer(self, body: bytes, entry: Entry, gone: Callable[[], Awaitable[bool]]) -> bytes:
        """The answer to a question, as JSON; notes in `entry` what is learnt on the way.

        Raises:
            Refused: no question, too large, no room in the queue, or the search failed.
        """
        question = protocol.read(body)
        entry.queries = question.queries
        entry.how = how = self._how(question)
        self._check_size(question)
        try:
            found, entry.queued_seconds = await self.engine.ask(question.queries, how, gone)
        except Overloaded:
            raise Refused(
                503,
                f"{self.engine.queue.num_queries} queries are waiting: try again later",
                {"Retry-After": str(self._recipe.retry_after_seconds)},
            ) from None
        except Abandoned:
            raise Refused(499, "the client went away") from None
        except SearchFailed as error:
            raise Refused(500, f"the search failed: {error}") from None
        return protocol.answer(
            found, scores=question.return_scores, method=how.method, topk=how.k, weights=self._weights(how)
        )

    def pulse(self) -> bytes:
        """Whether it answers, as JSON."""
        return orjson.dumps({"status": "ok" if self.engine.running else "failed"})

    def health(self) -> bytes:
        """What is served and how it fares, as JSON."""
        how = self._how(Question(queries=["any"]))
        return orjson.dumps(
            {
                "status": "ok" if self.engine.running else "failed",
                "index": {
                    "path": str(self._recipe.index),
                    "documents": len(self._index),
                    "methods": self._index.methods,
                    "contracts": {name: _digest(contract) for name, contract in self._index.contracts().items()},
                },
                "defaults": {"method": how.method, "topk": how.k, "alpha": how.alpha, "weights": self._weights(how)},
                "queue": {"queries": self.engine.queue.num_queries, "max": self._recipe.max_queue},
                "counters": self.engine.counters,
                "statuses": {str(status): count for status, count in sorted(self.statuses.items())},
            }
        )

    def _how(self, question: Question) -> How:
        """Raises Refused (422) when the index cannot answer so. Compares with None: 0 is an alpha, and no k."""
        recipe, index = self._recipe, self._index
        method = self._method if question.retrieval_type is None else question.retrieval_type
        if method not in index.methods:
            raise Refused(422, f"`retrieval_type` is {method}, this index answers by {' or '.join(index.methods)}")
        k = recipe.top_k if question.topk is None else question.topk
        if not 1 <= k <= recipe.max_top_k:
            raise Refused(422, f"`topk` is {k}, this server gives 1 to {recipe.max_top_k} (its `max_top_k`)")
        wishes = (question.hybrid_alpha, recipe.alpha, index.alpha)
        alpha = next(wish for wish in wishes if wish is not None) if method == "hybrid" else None
        return How(method, k, alpha)

    def _weights(self, how: How) -> dict[str, float]:
        """The weights that acted; a leg that was asked alone has all of it."""
        if how.method == "hybrid":
            return self._index.weights(how.alpha)
        return {name: float(name == how.method) for name in ("bm25", "dense")}

    def _check_size(self, question: Question) -> None:
        """Raises Refused for too many queries (413) or a query that is too long (422)."""
        recipe, queries = self._recipe, question.queries
        if len(queries) > recipe.max_queries:
            raise Refused(413, f"{len(queries)} queries in one request, at most {recipe.max_queries}: send parts")
        most = recipe.query_max_characters
        if most is not None and (long := [i for i, query in enumerate(queries) if len(query) > most]):
            raise Refused(422, f"query {long[0]} has {len(queries[long[0]])} characters, at most {most} are allowed")


def _digest(contract: Any) -> str:
    return digest.of_text(json.dumps(contract, sort_keys=True))
