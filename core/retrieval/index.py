"""An index of any kind: built from documents, opened for search. Here, and only here, a spec chooses its engine.

index.json      the spec
documents/      see `core.retrieval.store`
bm25/ dense/    one folder a leg
"""

import json
import logging
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter

from core import artifact
from core.errors import ContractError, UsageError
from core.retrieval import store as stores
from core.retrieval.fusion import fuse
from core.retrieval.spec import Backend, Bm25, Dense, Engine, Hybrid, Leg, LegSpec, Method, Scored
from core.types import Document, Hit

if TYPE_CHECKING:
    from core.retrieval.encoder import Encoder

log = logging.getLogger(__name__)

FORMAT = 1
"""Raised when the files change; an index of another format is refused."""


def build(documents: Iterable[Document], spec: Backend, path: Path) -> dict[str, Any]:
    """Write an index of `documents` under `path`; return the counts of each leg."""
    store = stores.write(documents, path / "documents")
    stats = {name: engine(leg).build(store, leg, path / name) for name, leg in _legs(spec).items()}
    artifact.write_json(path / "index.json", {"format": FORMAT, "spec": spec.model_dump(mode="json")})
    return {"documents": len(store), "legs": stats}


def engine(spec: LegSpec) -> Engine:
    """The module that builds and loads this kind of leg: `build(store, spec, path)` and `load(path)`."""
    match spec:
        case Bm25():
            from core.retrieval import bm25

            return bm25
        case Dense():
            from core.retrieval import dense

            return dense


def open_index(path: Path, *, task: str | None = None) -> "OpenIndex":
    """Open what `build` wrote. `task` fills the task slot of the dense model's query prompt.

    Raises:
        ContractError: another version's format.
    """
    facts = json.loads((path / "index.json").read_text(encoding="utf-8"))
    if facts["format"] != FORMAT:
        raise ContractError(
            f"the index has format {facts['format']}, this version reads {FORMAT}",
            where=str(path),
            hint="build it again with --force",
        )
    return OpenIndex(path, TypeAdapter[Backend](Backend).validate_python(facts["spec"]), task)


class OpenIndex:
    """An open index. Not to be searched from two threads at once; one batch uses all processors."""

    def __init__(self, path: Path, spec: Backend, task: str | None) -> None:
        self.spec = spec
        self.store = stores.DocumentStore(path / "documents")
        self._legs: dict[str, Leg] = {name: engine(leg).load(path / name) for name, leg in _legs(spec).items()}
        self.methods: tuple[Method, ...] = tuple(dict.fromkeys((spec.type, *_legs(spec))))
        self.alpha = spec.alpha if isinstance(spec, Hybrid) else None
        if task is not None:
            self._set_task(task)

    def _set_task(self, task: str) -> None:
        if dense := self._legs.get("dense"):
            dense.set_task(task)
        else:
            log.warning("this index has no dense leg: the task %r has no effect", task)

    def __len__(self) -> int:
        return len(self.store)

    def search(
        self, queries: Sequence[str], k: int, *, method: Method | None = None, alpha: float | None = None
    ) -> list[list[Hit]]:
        """The best `k` hits of each query, best first, ties by id; None takes the index's own method and alpha.

        Raises:
            UsageError: this index cannot answer by `method`, or `alpha` is outside 0 to 1.
        """
        method = method or self.methods[0]
        if method not in self.methods:
            raise UsageError(f"this index answers by {' or '.join(self.methods)}, not by `{method}`")
        if method == "hybrid":
            found = self._fused(queries, k, self.weights(alpha)["bm25"])
        else:
            found = self._legs[method].search(queries, k)
        return [[Hit(self.store.id(number), score) for number, score in hits] for hits in found]

    def weights(self, alpha: float | None = None) -> dict[str, float]:
        """The weight of each leg in a hybrid answer, for this alpha or the index's own.

        Raises:
            UsageError: `alpha` is outside 0 to 1.
        """
        chosen = self.alpha if alpha is None else alpha
        if chosen is None:
            return {}
        if not 0 <= chosen <= 1:
            raise UsageError(f"alpha is {chosen}, it is the weight of BM25: 0 to 1")
        return {"bm25": chosen, "dense": 1 - chosen}

    def documents(self, ids: Iterable[str]) -> list[Document]:
        """The documents with these ids.

        Raises:
            UsageError: one of them is not in the index.
        """
        return [self.store.document(self._number(id_)) for id_ in ids]

    def contracts(self) -> dict[str, Any]:
        """What decides terms and vectors, a leg each."""
        return {name: leg.contract for name, leg in self._legs.items()}

    @property
    def encoder(self) -> "Encoder | None":
        """The dense leg's model, loaded and checked against the contract; None without such a leg.

        Raises:
            ContractError: the model is not the one the vectors came from.
        """
        if "dense" not in self._legs:
            return None
        from core.retrieval.dense import DenseLeg

        leg = self._legs["dense"]
        return leg.encoder if isinstance(leg, DenseLeg) else None

    def _number(self, document_id: str) -> int:
        if (number := self.store.number(document_id)) is None:
            raise UsageError(f"the index has no document {document_id!r}")
        return number

    def _fused(self, queries: Sequence[str], k: int, alpha: float) -> list[list[Scored]]:
        """Legs give `depth` candidates whatever `k` is, so a long list begins with the short one that is served."""
        spec = self.spec
        if not isinstance(spec, Hybrid):
            raise TypeError(f"{type(spec).__name__} is not hybrid")
        both = zip(*(self._legs[name].search(queries, spec.depth) for name in ("bm25", "dense")), strict=True)
        return [fuse(lexical, semantic, alpha, spec.fusion, k) for lexical, semantic in both]


def _legs(spec: Backend) -> dict[Method, LegSpec]:
    if isinstance(spec, Hybrid):
        return {"bm25": spec.bm25, "dense": spec.dense}
    return {spec.type: spec}
