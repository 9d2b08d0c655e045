"""Exact dense search: FAISS flat inner product over unit vectors, memory-mapped.

index.json      the spec, the way from here to the model's folder, the encoder's contract
vectors.faiss   IndexFlatIP over the documents in number order
"""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import faiss

from core import artifact
from core.errors import ContractError
from core.retrieval.spec import Dense, Scored
from core.retrieval.store import DocumentStore

if TYPE_CHECKING:
    from core.retrieval.encoder import Encoder, Vectors


def build(store: DocumentStore, spec: Dense, path: Path) -> dict[str, Any]:
    """Encode all documents in `store` and write the index; return its counts."""
    path.mkdir(parents=True, exist_ok=True)
    encoder = _open(spec)
    vectors = encoder.all_documents([document.contents for document in store])
    index = faiss.IndexFlatIP(encoder.contract.dimension)
    index.add(vectors)
    faiss.write_index(index, str(path / "vectors.faiss"))
    facts = {
        "spec": spec.model_dump(mode="json"),
        "beside": os.path.relpath(spec.model, path) if Path(spec.model).is_dir() else None,
        "contract": encoder.contract.as_dict(),
    }
    artifact.write_json(path / "index.json", facts)
    return {"documents": len(store), "dimension": encoder.contract.dimension}


def load(path: Path) -> "DenseLeg":
    """Open what `build` wrote.

    Raises:
        ContractError: the model is not the one the vectors came from.
    """
    return DenseLeg(path)


class DenseLeg:
    """An opened dense index. The vectors are mapped at once, the model is loaded with the first query."""

    def __init__(self, path: Path) -> None:
        self.facts: dict[str, Any] = json.loads((path / "index.json").read_text(encoding="utf-8"))
        self._path = path
        self._index = faiss.read_index(str(path / "vectors.faiss"), faiss.IO_FLAG_MMAP_IFC)
        if self._index.d != self.facts["contract"]["dimension"]:
            raise ContractError(
                f"the vectors have {self._index.d} dimensions, the contract says otherwise", where=str(path)
            )
        self._encoder: Encoder | None = None
        self._task: str | None = None

    @property
    def contract(self) -> dict[str, Any]:
        """The encoder's."""
        return dict(self.facts["contract"])

    def set_task(self, task: str) -> None:
        """What the query prompt's task slot is filled with."""
        self._task = task

    @property
    def encoder(self) -> "Encoder":
        """The model, checked against the contract."""
        if self._encoder is None:
            encoder = _open(self._spec())
            encoder.contract.check(self.facts["contract"])
            if self._task is not None:
                encoder.set_task(self._task)
            self._encoder = encoder
        return self._encoder

    def _spec(self) -> Dense:
        """How it was built; a model's folder is looked for where it lies from here, not from where one calls."""
        beside = self.facts["beside"]
        moved = {"model": str((self._path / beside).resolve())} if beside else {}
        return Dense.model_validate({**self.facts["spec"], **moved})

    def search(self, queries: Sequence[str], k: int) -> list[list[Scored]]:
        """The `k` nearest documents of each query by cosine, best first, ties by document number.

        A blank query, and one whose vector is zero because the model knows none of its pieces, has no hit.
        """
        if not queries:
            return []
        vectors = self.encoder.queries(queries)
        rows = self._nearest(vectors, min(k, self._index.ntotal))
        return [
            _ordered(row, k) if query.strip() and vector.any() else []
            for query, vector, row in zip(queries, vectors, rows, strict=True)
        ]

    def _nearest(self, vectors: "Vectors", k: int) -> list[list[Scored]]:
        """At least `k` documents a query: enough that no document left out ties with the last one kept."""
        wanted = min(k + 8, self._index.ntotal)
        while True:
            scores_QK, documents_QK = self._index.search(vectors, wanted)
            if wanted == self._index.ntotal or (scores_QK[:, -1] < scores_QK[:, k - 1]).all():
                return [
                    list(zip(documents, scores, strict=True))
                    for documents, scores in zip(documents_QK.tolist(), scores_QK.tolist(), strict=True)
                ]
            wanted = min(4 * wanted, self._index.ntotal)


def _open(spec: Dense) -> "Encoder":
    """The model; its packages take seconds to import, so an index opens without them."""
    from core.retrieval.encoder import open_encoder

    return open_encoder(spec)


def _ordered(hits: list[Scored], k: int) -> list[Scored]:
    return sorted(hits, key=lambda hit: (-hit[1], hit[0]))[:k]
