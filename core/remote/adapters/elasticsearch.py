"""`_search` of Elasticsearch and OpenSearch."""

from typing import Any
from urllib.parse import quote

from core.remote.adapters import reading
from core.remote.adapters.reading import Found
from core.remote.client import Client
from core.remote.faults import Unreadable
from core.remote.spec import Elasticsearch

_SOURCE = "_source"


class ElasticsearchAdapter:
    """One index."""

    def __init__(self, spec: Elasticsearch, client: Client) -> None:
        self._spec, self._client = spec, client
        self._path = f"/{quote(spec.index, safe=',*')}/_search"

    def find(self, query: str, k: int) -> list[Found]:
        """The documents for `query`, best first."""
        paths = filter(None, (self._spec.id, self._spec.title, self._spec.text))
        source = [path.removeprefix(f"{_SOURCE}.") for path in paths if path.startswith(f"{_SOURCE}.")]
        body = {"query": self._query(query), "size": k, "_source": source, "track_total_hits": False}
        return self._client.post(body, self._read, self._path)

    def _query(self, query: str) -> dict[str, Any]:
        match self._spec.query:
            case "match":
                return {"match": {self._spec.fields[0]: {"query": query}}}
            case kind:
                return {kind: {"query": query, "fields": list(self._spec.fields)}}

    def _read(self, answer: bytes) -> list[Found]:
        spec, name, value = self._spec, self._spec.service, reading.parsed(answer)
        # Half of the index is no answer: documents that are there would look as if they were not.
        if reading.at(value, "timed_out") is True:
            raise Unreadable("the search timed out within the engine, with part of the documents")
        if failed := reading.at(value, "_shards.failed"):
            raise Unreadable(f"{failed} shards of the index did not answer")
        found = reading.items(value, "hits.hits", name)
        documents = [
            reading.document(item, name, id_at=spec.id, title_at=spec.title, text_at=spec.text) for item in found
        ]
        return reading.ranked(documents, [reading.score(item, "_score", name) for item in found])
