"""From a request for vectors or similarities to its answer, by one loaded model."""

import json
import logging
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from core import digest
from core.serve import asking, refused, vectors
from core.serve.asking import Gone
from core.serve.embedding import Embedded, Text, embed
from core.serve.journal import Entry
from core.serve.recipe import Recipe
from core.serve.refused import Refused
from core.serve.vectors import Comparison, Wish

if TYPE_CHECKING:
    from core.retrieval.encoder import Encoder

log = logging.getLogger(__name__)

WARM_UP = "预热 warm up"


class ModelDesk:
    """One model, with the recipe it is served by."""

    def __init__(self, recipe: Recipe, source: str, encoder: "Encoder", thread: ThreadPoolExecutor) -> None:
        """Embeds once, so that what cannot work fails now. `source` is what the model is called by who made the
        recipe or the index, `thread` the one that uses it from now on.
        """
        self._recipe, self._source, self._encoder = recipe, source, encoder
        self._contract = encoder.contract
        self.name = recipe.model_name or source
        self._created = int(time.time())
        embed(encoder, [Text("query", WARM_UP), Text("document", WARM_UP)])
        self.engine = asking.engine(recipe, self._work, thread, recipe.max_batch_texts)
        self.summary = f"the model {self.name} ({self._contract.dimension} dimensions)"

    def _work(self, _: None, texts: Sequence[Text]) -> list[Embedded]:
        return embed(self._encoder, texts)

    async def embeddings(self, body: bytes, entry: Entry, gone: Gone) -> bytes:
        """Vectors in OpenAI's shape, as JSON; notes in `entry` what is learnt on the way.

        Raises:
            Refused: no such wish or model, too large, no room in the queue, or the model failed.
        """
        wish = refused.read(Wish, body, '{"input": ["..."]}')
        entry.queries = wish.input
        if wish.model not in {None, self.name}:
            raise Refused(404, f"there is no model `{wish.model}` here: this server has `{self.name}`", field="model")
        if (wish.dimensions or 0) > self._contract.dimension:
            what = f"`dimensions` is {wish.dimensions}, vectors of this model have {self._contract.dimension}"
            raise Refused(422, what, field="dimensions")
        return vectors.embeddings(await self._rows(wish.texts, gone, entry), wish, self.name)

    async def similarity(self, body: bytes, entry: Entry, gone: Gone) -> bytes:
        """The cosine of each pair, as JSON; the first text of a pair gets the query prompt, the second the document's.

        Raises:
            Refused: no such question, too large, no room in the queue, or the model failed.
        """
        comparison = refused.read(Comparison, body, '{"query": "...", "documents": ["..."]}')
        texts = comparison.texts
        distinct = list(dict.fromkeys(texts))
        entry.queries = [text.text for text in distinct]
        rows = dict(zip(distinct, await self._rows(distinct, gone, entry), strict=True))
        return vectors.similarities([rows[text] for text in texts], self.name)

    async def _rows(self, texts: Sequence[Text], gone: Gone, entry: Entry) -> list[Embedded]:
        asking.check_size([text.text for text in texts], self._recipe, "text", "texts")
        wait = self._recipe.retry_after_seconds
        return await asking.ask(self.engine, texts, None, gone, entry, retry_after=wait, many="texts")

    async def models(self) -> bytes:
        """The models that a request may name, in OpenAI's shape, as JSON."""
        return vectors.models(self.name, self._created)

    def facts(self) -> dict[str, Any]:
        """What is served and how it fares."""
        contract, counters = self._contract, dict(self.engine.counters)
        return {
            "model": {
                "name": self.name,
                "source": self._source,
                "dimension": contract.dimension,
                "max_tokens": contract.max_tokens,
                "prompts": {"query": bool(contract.query_prompt), "document": bool(contract.document_prompt)},
                "contract": digest.of_text(json.dumps(contract.as_dict(), sort_keys=True)),
                "queue": {"texts": self.engine.queue.num_items, "max": self._recipe.max_queue},
                "counters": {("texts" if name == "items" else name): count for name, count in counters.items()},
            }
        }
