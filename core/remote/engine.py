"""An engine of others that is asked by many: one limit, one memory, and what it refuses is told from what fails."""

import hashlib
import json
import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Protocol, Self, TypeVar

from core.remote.adapters.clinical_trials import ClinicalTrialsAdapter
from core.remote.adapters.elasticsearch import ElasticsearchAdapter
from core.remote.adapters.http import HttpAdapter
from core.remote.adapters.pubmed import FETCHED, PubMedAdapter
from core.remote.adapters.reading import Found
from core.remote.client import Client, Patience, key
from core.remote.faults import QuestionRefused, ServiceRefused
from core.remote.memory import Memory, Shelf
from core.remote.spec import AnyEngine, ClinicalTrials, Elasticsearch, Http, PubMed
from core.types import Document

T = TypeVar("T")
R = TypeVar("R")

log = logging.getLogger(__name__)

ORDINARY = "health"
"""A query that any engine takes: where even this one is refused, the recipe is wrong and not the query."""
VOUCHED_SECONDS = 60.0
"""How long an engine that took the ordinary query is trusted to refuse others for what they are."""
GONE_SECONDS = 5.0
"""How long an engine that is gone is not asked again."""
PUBMED_WITH_KEY = 600
"""Requests that NCBI takes in a minute from one that shows a key."""


class Adapter(Protocol):
    """What knows one kind of engine."""

    def find(self, query: str, k: int) -> list[Found]:
        """The documents for `query`, best first.

        Raises:
            QuestionRefused: the engine does not take the query.
            ServiceFailed: it gave no answer.
        """
        ...


class RemoteEngine:
    """An open engine. Threads may share it; they take turns."""

    def __init__(self, spec: AnyEngine) -> None:
        """Asks nothing yet.

        Raises:
            DrError: the key or the cache cannot be used.
        """
        self.spec = spec
        self._client = _client(spec)
        self._adapter, self._fetch = _adapter(spec, self._client)
        self._answers = Memory[tuple[str, int], list[Found]](spec.remembered_hits)
        self._documents = Memory[str, Document](spec.remembered_hits)
        self._shelf = Shelf(spec.cache) if spec.cache else None
        self._identity = json.dumps(_identity(spec), sort_keys=True)
        self._pool = ThreadPoolExecutor(spec.concurrency, thread_name_prefix="engine")
        self._turn, self._vouching, self._vouched_until = threading.Lock(), threading.Lock(), 0.0
        self.counters = Counter(asked=0, remembered=0, refused=0)
        """Queries by what became of them; `refused` ones found nothing, for the engine could not read them."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def check(self) -> None:
        """Ask an ordinary query.

        Raises:
            ServiceFailed: the engine is not there.
            ServiceRefused: it refuses even that, or its answer is of another shape: the recipe is wrong.
        """
        try:
            self._adapter.find(ORDINARY, 1)
        except QuestionRefused as refused:
            hint = "not the query is at fault but how it is asked: compare the recipe's fields with the engine"
            what = f"{self.spec.service} refuses even an ordinary query: {refused.what}"
            raise ServiceRefused(what, where=refused.where, hint=hint) from None
        self._vouched_until = time.monotonic() + VOUCHED_SECONDS

    def search(self, queries: Sequence[str], k: int) -> list[list[Found]]:
        """The first `k` documents of each query, best first; none for a blank one, or one that the engine refuses.

        Raises:
            ServiceFailed: the engine gave no answer: that is no empty result.
            ServiceRefused: it answers, and not as the recipe says.
        """
        with self._turn:
            asked = list(dict.fromkeys(query for query in queries if query.strip()))
            known = {query: found for query in asked if (found := self._known(query, k)) is not None}
            self.counters["remembered"] += len(known)
            missing = [query for query in asked if query not in known]
            new = self._each(lambda query: self._found(query, k), missing)
            rows = {**known, **dict(zip(missing, new, strict=True))}
            return self._with_texts([rows.get(query, []) for query in queries])

    def facts(self) -> dict[str, Any]:
        """What it is and how it fares."""
        spec, counters = self.spec, dict(self.counters)
        facts = {"type": spec.type, "url": spec.url, "parses_operators": spec.parses_operators}
        return {**facts, "counters": counters}

    def close(self) -> None:
        """End the threads, close connections and cache."""
        self._client.end()
        self._pool.shutdown(cancel_futures=True)
        self._client.close()
        if self._shelf:
            self._shelf.close()

    def _each(self, work: Callable[[T], R], items: Sequence[T]) -> list[R]:
        """The work on each, several at a time; the first failure ends the others."""
        self._client.begin()
        futures: list[Future[R]] = [self._pool.submit(work, item) for item in items]
        try:
            return [future.result() for future in futures]
        finally:
            if any(not future.done() for future in futures):
                self._client.end()
                for future in futures:
                    future.cancel()

    def _found(self, query: str, k: int) -> list[Found]:
        self.counters["asked"] += 1
        try:
            found = self._adapter.find(query, k)[:k]
        except QuestionRefused as refused:
            self._vouch()
            self._note(refused)
            self._answers.put((query, k), [], 1)
            return []
        self._answers.put((query, k), found, len(found) + 1)
        if self._shelf:
            rows = [[document.id, document.title, document.text, score] for document, score in found]
            self._shelf.put(self._key("query", query, k), rows)
        return found

    def _known(self, query: str, k: int) -> list[Found] | None:
        found = self._answers.get((query, k))
        if found is None and self._shelf and (rows := self._shelf.get(self._key("query", query, k))) is not None:
            found = [(Document(id_, text, title), score) for id_, title, text, score in rows]
            self._answers.put((query, k), found, len(found) + 1)
        return found

    def _with_texts(self, rows: list[list[Found]]) -> list[list[Found]]:
        """The rows with titles and texts, where those are another question."""
        if self._fetch is None:
            return rows
        ids = list(dict.fromkeys(document.id for row in rows for document, _ in row))
        documents = {id_: document for id_ in ids if (document := self._text(id_)) is not None}
        missing = [id_ for id_ in ids if id_ not in documents]
        for found in self._each(self._fetch, list(_parts(missing))):
            for id_, document in found.items():
                documents[id_] = document
                self._documents.put(id_, document, 1)
                if self._shelf:
                    self._shelf.put(self._key("document", id_), [document.title, document.text])
        return [[(documents.get(bare.id, bare), score) for bare, score in row] for row in rows]

    def _text(self, id_: str) -> Document | None:
        document = self._documents.get(id_)
        if document is None and self._shelf and (row := self._shelf.get(self._key("document", id_))):
            title, text = row
            document = Document(id_, text, title)
            self._documents.put(id_, document, 1)
        return document

    def _vouch(self) -> None:
        """Make sure that it is the query which is refused, and not all of them."""
        with self._vouching:
            if time.monotonic() >= self._vouched_until:
                self.check()

    def _note(self, refused: QuestionRefused) -> None:
        """Count a refused query, and tell of the first few and then of ever fewer."""
        with self._vouching:
            self.counters["refused"] += 1
            count = self.counters["refused"]
        if count <= 3 or count & (count - 1) == 0:
            log.warning("a query finds nothing, for it was refused (%d so far): %s", count, refused.what)

    def _key(self, *parts: Any) -> str:
        return hashlib.sha256(json.dumps([self._identity, *parts]).encode("utf-8", "replace")).hexdigest()


def _client(spec: AnyEngine) -> Client:
    rate = spec.rate
    if isinstance(spec, PubMed) and spec.requests_per_minute is None and key(spec.key_env):
        rate = PUBMED_WITH_KEY
    patience = Patience(spec.timeout_seconds, spec.retries, spec.give_up_seconds, rate)
    # PubMed's key is a field of its forms.
    names = () if isinstance(spec, PubMed) else spec.key_env
    scheme = spec.authorization if isinstance(spec, Elasticsearch) else "Bearer"
    service = f"search engine {spec.service}"
    return Client(service, spec.url, patience, key_env=names, scheme=scheme, gone_seconds=GONE_SECONDS)


def _adapter(
    spec: AnyEngine, client: Client
) -> tuple[Adapter, Callable[[Sequence[str]], Mapping[str, Document]] | None]:
    """What asks the engine, and what fetches texts where those are another question."""
    match spec:
        case Http():
            return HttpAdapter(spec, client), None
        case PubMed():
            adapter = PubMedAdapter(spec, client)
            return adapter, adapter.fetch if spec.texts else None
        case ClinicalTrials():
            return ClinicalTrialsAdapter(spec, client), None
        case Elasticsearch():
            return ElasticsearchAdapter(spec, client), None


def _identity(spec: AnyEngine) -> dict[str, Any]:
    """What decides an answer beside the query; whether texts are wanted does not."""
    patient = {"requests_per_minute", "concurrency", "timeout_seconds", "retries", "give_up_seconds", "key_env"}
    other = {"remembered_hits", "cache", "tool", "email", "texts", "authorization"}
    return spec.model_dump(mode="json", exclude=patient | other)


def _parts(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    return (ids[start : start + FETCHED] for start in range(0, len(ids), FETCHED))
