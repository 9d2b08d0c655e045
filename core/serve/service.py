"""What a recipe serves: an index or an engine of others, a model, a rewriter, or several."""

import contextlib
import logging
from collections import Counter
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from core.llm.rewriting.template import refuse_operators
from core.remote.spec import AnyEngine
from core.retrieval.index import OpenIndex, open_index
from core.retrieval.models import resolve
from core.retrieval.spec import Dense, Hybrid
from core.serve.desk import Desk
from core.serve.engine_desk import EngineDesk
from core.serve.model_desk import ModelDesk
from core.serve.recipe import Recipe
from core.serve.refused import Refused
from core.serve.rewriting import RewriteDesk

if TYPE_CHECKING:
    from core.retrieval.encoder import Encoder

log = logging.getLogger(__name__)


class Service:
    """The desks that are open."""

    def __init__(self, recipe: Recipe) -> None:
        """Opens the index and the model, and tries them once.

        Raises:
            DrError: one of them is not there, or does not fit the recipe.
        """
        self._recipe = recipe
        name = resolve(recipe.model) if recipe.model else None
        self._search_thread, self._model_thread = (ThreadPoolExecutor(1, kind) for kind in ("search", "embed"))
        self._rewrite = RewriteDesk(recipe, recipe.rewrite) if recipe.rewrite else None
        self._search: Desk | EngineDesk | None = None
        self._model: ModelDesk | None = None
        index = self._open_index(recipe.index) if recipe.index else None
        if recipe.engine:
            self._open_engine(recipe.engine)
        if name is not None and recipe.model:
            self._model = ModelDesk(recipe, recipe.model, self._encoder(name, index), self._model_thread)
        elif index is not None and (own := index.encoder) is not None:
            # The index uses it too: one thread for both.
            self._model = ModelDesk(recipe, _dense_name(index), own, self._search_thread)
        self.statuses: Counter[int] = Counter()
        """HTTP statuses of the answers, other than those about health."""

    def _open_index(self, path: Path) -> OpenIndex:
        index = open_index(path, task=self._recipe.task_desc)
        if self._rewrite is not None:
            refuse_operators(self._rewrite.template.facts(), index.methods, str(path))
        self._search = Desk(self._recipe, path, index, self._search_thread)
        return index

    def _open_engine(self, spec: AnyEngine) -> None:
        if self._rewrite is not None:
            refuse_operators(self._rewrite.template.facts(), spec.deaf, spec.url)
        self._search = EngineDesk(self._recipe, spec, self._search_thread)

    def _encoder(self, name: str, index: OpenIndex | None) -> "Encoder":
        from core.retrieval.encoder import open_encoder

        recipe = self._recipe
        trust, batch = recipe.trust_remote_code, recipe.max_batch_texts
        encoder = open_encoder(Dense(type="dense", model=name, batch_size=batch, trust_remote_code=trust))
        if recipe.task_desc is not None:
            encoder.set_task(recipe.task_desc)
        if index and index.contracts().get("dense", encoder.contract.as_dict()) != encoder.contract.as_dict():
            log.warning("`model` is not the one of the index: their vectors cannot be compared")
        return encoder

    @property
    def search(self) -> Desk | EngineDesk:
        """Raises Refused (404) when nothing is searched."""
        if self._search is None:
            asks = "POST /v1/embeddings and POST /similarity ask" if self._model else "POST /rewrite asks"
            raise Refused(404, f"no index is served here: {asks} {self.summary}")
        return self._search

    @property
    def model(self) -> ModelDesk:
        """Raises Refused (404) when no model is served."""
        if self._model is None:
            asks = "POST /retrieve" if self._search else "POST /rewrite"
            what = f"no embedding model is served here: {asks} asks {self.summary}; `model` in the recipe adds one"
            raise Refused(404, what, field="model")
        return self._model

    @property
    def rewrite(self) -> RewriteDesk:
        """Raises Refused (404) when nobody rewrites."""
        if self._rewrite is None:
            what = "nobody rewrites queries here: `rewrite` in the recipe (`llm` and `prompts`) adds it"
            raise Refused(404, what)
        return self._rewrite

    @property
    def summary(self) -> str:
        """What is served, in a line."""
        parts = [desk.summary for desk in self._desks] + ([self._rewrite.summary] if self._rewrite else [])
        return " and ".join(parts)

    @property
    def example(self) -> tuple[str, str]:
        """A path and a body to try it with."""
        if isinstance(self._search, EngineDesk):
            return "/retrieve", '{"queries": ["diabetes"]}'
        if self._search:
            return "/retrieve", '{"queries": ["单位净值"]}'
        if self._model:
            return "/v1/embeddings", '{"input": ["单位净值"], "input_type": "query"}'
        return "/rewrite", '{"queries": ["单位净值"]}'

    @property
    def _desks(self) -> list[Desk | EngineDesk | ModelDesk]:
        desks: tuple[Desk | EngineDesk | ModelDesk | None, ...] = (self._search, self._model)
        return [desk for desk in desks if desk is not None]

    @property
    def running(self) -> bool:
        """Whether all of it answers."""
        return all(desk.engine.running for desk in self._desks)

    @contextlib.asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Answers within the block; what waits at its end is told so."""
        async with contextlib.AsyncExitStack() as stack:
            for thread in (self._search_thread, self._model_thread):
                stack.callback(thread.shutdown)
            if isinstance(self._search, EngineDesk):  # before its thread, which may be waiting for the engine
                stack.callback(self._search.remote.close)
            for desk in self._desks:
                await stack.enter_async_context(desk.engine)
            if self._rewrite is not None:
                await stack.enter_async_context(self._rewrite.open())
            yield

    def pulse(self) -> bytes:
        """Whether it answers, as JSON."""
        return orjson.dumps({"status": "ok" if self.running else "failed"})

    def health(self) -> bytes:
        """What is served and how it fares, as JSON."""
        facts: dict[str, Any] = {"status": "ok" if self.running else "failed"}
        for desk in self._desks:
            facts |= desk.facts()
        facts |= self._rewrite.facts() if self._rewrite else {}
        return orjson.dumps({**facts, "statuses": {str(s): count for s, count in sorted(self.statuses.items())}})


def _dense_name(index: OpenIndex) -> str:
    spec = index.spec.dense if isinstance(index.spec, Hybrid) else index.spec
    return spec.model if isinstance(spec, Dense) else ""
