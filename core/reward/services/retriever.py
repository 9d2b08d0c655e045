"""Asking a retrieval server: `POST /retrieve` of `dr serve`, and of every server that speaks Search-R1's protocol."""

import json
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

from core.remote.client import Client, Patience
from core.remote.faults import ServiceRefused, Unreadable
from core.remote.memory import Memory

CONCURRENCY = 4
"""Requests under way at most, where one does not hold the whole batch."""
MAX_CHARACTERS = 4_000_000
"""Characters of all queries of one request; 16 MB at four bytes each, half of what `dr serve` takes."""


class Hit(NamedTuple):
    """A document that was found."""

    id: str
    text: str
    """Title and text; empty where the reward needs ids alone."""


class Retriever:
    """Answers of a server that is the same through the run: what was found once is remembered, up to a bound."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        self._config = config
        patience = Patience(
            config["timeout_seconds"], config["retries"], config["give_up_seconds"], config["requests_per_minute"]
        )
        self.client = Client("retriever", config["url"], patience, key_env=tuple(config["token_env"]))
        self._known = Memory[tuple[str, int, bool], list[Hit]](config["remembered_hits"])

    def search(self, queries: Sequence[str], k: int, *, texts: bool = False) -> list[list[Hit]]:
        """The first `k` documents for each query; nothing for one that is blank or longer than any query is.

        Raises:
            ServiceFailed: the server gave no answer.
            ServiceRefused: it does not take the question, or answers in another protocol.
        """
        limit = self._config["query_max_characters"]
        asked = [query if query.strip() and len(query) <= limit else "" for query in queries]
        found = {query: hits for query in asked if (hits := self._known.get((query, k, texts))) is not None}
        found[""] = []
        missing = [query for query in dict.fromkeys(asked) if query not in found]
        requests = list(self._requests(missing, k))
        if len(requests) <= 1:
            answers = [self._ask(request, k, texts) for request in requests]
        else:
            with ThreadPoolExecutor(CONCURRENCY) as pool:
                answers = list(pool.map(lambda request: self._ask(request, k, texts), requests))
        for request, answer in zip(requests, answers, strict=True):
            for query, hits in zip(request, answer, strict=True):
                found[query] = hits
                self._known.put((query, k, texts), hits, len(hits) + 1)
        return [found[query] for query in asked]

    def _requests(self, queries: Sequence[str], k: int) -> Iterator[list[str]]:
        """The queries in as few requests as the bounds allow."""
        most = max(1, min(self._config["max_queries"], self._config["max_hits"] // k))
        request: list[str] = []
        characters = 0
        for query in queries:
            if request and (len(request) == most or characters + len(query) > MAX_CHARACTERS):
                yield request
                request, characters = [], 0
            request.append(query)
            characters += len(query)
        if request:
            yield request

    def _ask(self, queries: list[str], k: int, texts: bool) -> list[list[Hit]]:
        body: dict[str, Any] = {"queries": queries, "topk": k, "return_scores": True}
        body |= {name: self._config[name] for name in ("retrieval_method", "alpha") if self._config[name] is not None}
        return self.client.post(body, lambda answer: self._read(answer, len(queries), texts))

    def _read(self, answer: bytes, count: int, texts: bool) -> list[list[Hit]]:
        try:
            value = json.loads(answer)
        except ValueError:
            raise Unreadable(f"no JSON: {answer[:80].decode('utf-8', 'replace')!r}") from None
        lists = value.get("result", value.get("data")) if isinstance(value, dict) else None
        if not isinstance(lists, list):
            raise self._foreign("it has neither `result` nor `data`")
        if len(lists) != count:
            raise self._foreign(f"{len(lists)} lists for {count} queries")
        return [[self._hit(hit, texts) for hit in hits] for hits in lists]

    def _hit(self, hit: Any, texts: bool) -> Hit:
        document = hit.get("document", hit) if isinstance(hit, dict) else None
        if not isinstance(document, dict) or not isinstance(document.get("id"), str | int):
            raise self._foreign(f"a hit without document id: {str(hit)[:80]}")
        if not texts:
            return Hit(str(document["id"]), "")
        text = document.get("contents", document.get("text"))
        if not isinstance(text, str):
            raise self._foreign(f"document {document['id']} has no `contents`")
        return Hit(str(document["id"]), text)

    def _foreign(self, what: str) -> ServiceRefused:
        hint = '`dr serve` answers {"result": [[{"document": {"id", "contents"}, "score"}]]}'
        return ServiceRefused(
            f"the retriever's answer is of another protocol: {what}", where=self.client.url, hint=hint
        )
