"""Any engine that takes a query and a number as JSON or in its address, and answers JSON."""

from typing import Any

from core.remote.adapters import reading
from core.remote.adapters.reading import Found
from core.remote.client import Client
from core.remote.spec import Http


class HttpAdapter:
    """Source A's own retriever: `{query, top_k}` -> `results`, by other names where the recipe says so."""

    def __init__(self, spec: Http, client: Client) -> None:
        self._spec, self._client = spec, client

    def find(self, query: str, k: int) -> list[Found]:
        """The documents for `query`, best first."""
        spec = self._spec
        asked: dict[str, Any] = {spec.query_field: query, spec.k_field: k}
        return self._client.post(asked, self._read) if spec.method == "POST" else self._client.get(asked, self._read)

    def _read(self, answer: bytes) -> list[Found]:
        spec, name = self._spec, self._spec.service
        found = reading.items(reading.parsed(answer), spec.results, name)
        documents = [
            reading.document(item, name, id_at=spec.id, title_at=spec.title, text_at=spec.text if spec.id else None)
            for item in found
        ]
        if spec.score is None or not spec.id:
            return reading.ranked(documents)
        return reading.ranked(documents, [reading.score(item, spec.score, name) for item in found])
