"""From a question's body to its answer: fills in what the request leaves open, holds the recipe's limits."""

import json
import logging
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

from core import digest
from core.errors import RecipeError
from core.retrieval.index import OpenIndex
from core.retrieval.spec import Method
from core.serve import asking, protocol
from core.serve.asking import Gone
from core.serve.journal import Entry
from core.serve.protocol import Question
from core.serve.recipe import Recipe
from core.serve.refused import Refused
from core.serve.searching import How, search

log = logging.getLogger(__name__)

WARM_UP = "预热 warm up"


class Desk:
    """One open index, with the recipe it is served by."""

    def __init__(self, recipe: Recipe, path: Path, index: OpenIndex, thread: ThreadPoolExecutor) -> None:
        """Searches once by every method: compiles the kernel, loads the model, and fails now rather than later.

        `path` is where the index lies, `thread` the one that searches from now on.

        Raises:
            RecipeError: the index cannot answer by `retrieval_method`.
        """
        self._recipe, self._path, self._index = recipe, path, index
        self._method: Method = recipe.retrieval_method or index.methods[0]
        if self._method not in index.methods:
            raise RecipeError(
                f"`retrieval_method` is {self._method}, this index answers by {' or '.join(index.methods)}",
                where=str(path),
            )
        if self._recipe.alpha is not None and index.alpha is None:
            log.warning(
                "`alpha` has no effect: it weighs the legs of a hybrid index, this one answers by %s", index.methods[0]
            )
        for method in index.methods:
            index.search([WARM_UP], recipe.top_k, method=method)
        self.engine = asking.engine(recipe, partial(search, index), thread, recipe.max_batch)
        self.summary = f"{path} ({len(index):,} documents, by {self._method})"

    async def answer(self, body: bytes, entry: Entry, gone: Gone) -> bytes:
        """The answer to a question, as JSON; notes in `entry` what is learnt on the way.

        Raises:
            Refused: no question, too large, no room in the queue, or the search failed.
        """
        question = protocol.read(body)
        entry.queries = question.queries
        entry.how = how = self._how(question)
        asking.check_size(question.queries, self._recipe, "query", "queries")
        wait = self._recipe.retry_after_seconds
        found = await asking.ask(self.engine, question.queries, how, gone, entry, retry_after=wait, many="queries")
        return protocol.answer(
            found, scores=question.return_scores, method=how.method, topk=how.k, weights=self._weights(how)
        )

    def facts(self) -> dict[str, Any]:
        """What is served and how it fares."""
        how, counters = self._how(Question(queries=["any"])), dict(self.engine.counters)
        return {
            "index": {
                "path": str(self._path),
                "documents": len(self._index),
                "methods": self._index.methods,
                "contracts": {name: _digest(contract) for name, contract in self._index.contracts().items()},
            },
            "defaults": {"method": how.method, "topk": how.k, "alpha": how.alpha, "weights": self._weights(how)},
            "queue": {"queries": self.engine.queue.num_items, "max": self._recipe.max_queue},
            "counters": {("queries" if name == "items" else name): count for name, count in counters.items()},
        }

    def _how(self, question: Question) -> How:
        """Raises Refused (422) when the index cannot answer so. Compares with None: 0 is an alpha, and no k."""
        recipe, index = self._recipe, self._index
        method = self._method if question.retrieval_type is None else question.retrieval_type
        if method not in index.methods:
            raise Refused(422, f"`retrieval_type` is {method}, this index answers by {' or '.join(index.methods)}")
        k = asking.depth(question, recipe)
        wishes = (question.hybrid_alpha, recipe.alpha, index.alpha)
        alpha = next(wish for wish in wishes if wish is not None) if method == "hybrid" else None
        return How(method, k, alpha)

    def _weights(self, how: How) -> dict[str, float]:
        """The weights that acted; a leg that was asked alone has all of it."""
        if how.method == "hybrid":
            return self._index.weights(how.alpha)
        return {name: float(name == how.method) for name in ("bm25", "dense")}


def _digest(contract: Any) -> str:
    return digest.of_text(json.dumps(contract, sort_keys=True))
