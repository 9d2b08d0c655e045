"""The work behind `/retrieve`: queries of many requests, searched together."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple, Protocol

from core.retrieval.spec import Method
from core.serve.protocol import Found
from core.types import Document, Hit


class How(NamedTuple):
    """What decides an answer beside the query."""

    method: Method | None
    """None: a search engine of others is asked."""
    k: int
    alpha: float | None
    """Weight of BM25; None unless the method is hybrid."""


class Index(Protocol):
    """What searching needs of an open index."""

    def search(
        self, queries: Sequence[str], k: int, *, method: Method | None = None, alpha: float | None = None
    ) -> list[list[Hit]]:
        """The best `k` hits of each query, best first."""
        ...

    def documents(self, ids: Iterable[str]) -> list[Document]:
        """The documents with these ids, in their order."""
        ...


def search(index: Index, how: How, queries: Sequence[str]) -> list[list[Found]]:
    """The documents of each query, best first; a blank query has none and is not searched."""
    asked = [query for query in queries if query.strip()]
    if not asked:
        return [[] for _ in queries]
    hits = dict(zip(asked, index.search(asked, how.k, method=how.method, alpha=how.alpha), strict=True))
    ids = list(dict.fromkeys(hit.document_id for row in hits.values() for hit in row))
    documents = dict(zip(ids, index.documents(ids), strict=True))
    return [[(documents[id_], score) for id_, score in hits.get(query, [])] for query in queries]
