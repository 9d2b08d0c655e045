"""What a recipe can ask of a search index, and what every open index offers."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Protocol

from pydantic import Field, PositiveFloat, PositiveInt

from core.recipe import From, Part
from core.text.spec import Analysis, Chinese

if TYPE_CHECKING:
    from core.retrieval.store import DocumentStore


class Bm25(Part):
    """BM25 over an inverted index with precomputed impacts; no Java.

    The default k1 and b lie within 0.004 nDCG@10 of the best of 16 pairs (k1 0.6 to 1.5, b 0.3 to 0.75) on each of
    fintruthqa_zh dev 0.529, stard_law_zh_hard dev 0.402 and scifact train 0.707; Lucene's 0.9 and 0.4 give 0.527,
    0.394 and 0.709.
    """

    type: Literal["bm25"] = "bm25"
    k1: Annotated[float, Field(ge=0)] = 0.9
    """Saturation of the term frequency; 0 counts presence only."""
    b: Annotated[float, Field(ge=0, le=1)] = 0.6
    """Normalisation by document length; 0 none, 1 full."""
    tf_cap: PositiveInt | None = None
    """Occurrences of a term in a document that count; further ones do not (10, 5). null: all. Length stays true."""
    lexicon_weight: PositiveFloat = 1.2
    """Factor on the contribution of a term that is a word of the analyzer's lexicon; without a lexicon no effect."""
    analyzer: Analysis = Chinese()
    """How text becomes terms; stored in the index as a contract."""


Precision = Literal["fp32", "bf16"]
"""Numbers that a model is computed in."""


class Dense(Part):
    """Exact inner-product search over normalised vectors (FAISS flat)."""

    type: Literal["dense"]
    model: Annotated[str, From("embed", "merge", or_name=True)]
    """Artifact of `dr embed train` or `dr embed merge`, folder of a model, or its name on the hub."""
    batch_size: PositiveInt = 256
    """Documents encoded at a time."""
    max_tokens: PositiveInt | None = None
    """Tokens of a text that are encoded. null: as the model says."""
    precision: Precision = "fp32"
    """Numbers that the model is computed in (autocast); bf16 is faster where the processor or GPU knows it, and part of
    the index's contract."""
    trust_remote_code: bool = False
    """Whether code that comes with the model may run."""


class Weighted(Part):
    """alpha × BM25 + (1 − alpha) × dense, each min-max normalised over the candidates of its own leg."""

    type: Literal["weighted"] = "weighted"


class ReciprocalRank(Part):
    """Reciprocal rank fusion (Cormack et al. 2009): the sum of weight / (k + rank)."""

    type: Literal["rrf"]
    k: PositiveInt = 60
    """Constant added to every rank."""


Fusion = Annotated[Weighted | ReciprocalRank, Field(discriminator="type")]


class Hybrid(Part):
    """BM25 and dense legs, fused; the index answers `bm25` and `dense` as well."""

    type: Literal["hybrid"]
    bm25: Bm25 = Bm25()
    """The lexical leg."""
    dense: Dense
    """The semantic leg."""
    fusion: Fusion = Weighted()
    """How the two lists become one."""
    alpha: Annotated[float, Field(ge=0, le=1)] = 0.6
    """Weight of BM25; the dense leg gets 1 − alpha. Larger means more BM25."""
    depth: PositiveInt = 100
    """Candidates taken from each leg, whatever the number of hits asked for: at most twice as many can come."""


Backend = Annotated[Bm25 | Dense | Hybrid, Field(discriminator="type")]

Method = Literal["bm25", "dense", "hybrid"]
"""A way an open index can answer: one leg, or both fused."""


Scored = tuple[int, float]
"""Document number and score, as a leg gives them."""

LegSpec = Bm25 | Dense
"""What one engine can build."""


class Leg(Protocol):
    """One engine over a set of documents, opened. Documents are numbered in the order of their ids."""

    @property
    def contract(self) -> dict[str, Any]:
        """What decides its terms or vectors."""
        ...

    def set_task(self, task: str) -> None:
        """Say what queries are for, where the engine's model wants to know."""
        ...

    def search(self, queries: Sequence[str], k: int) -> list[list[Scored]]:
        """The best `k` of each query, best first, ties by document number; fewer when fewer match."""
        ...


class Engine(Protocol):
    """A module of this package that makes and opens one kind of leg."""

    def build(self, store: "DocumentStore", spec: Any, path: Path) -> dict[str, Any]:
        """Write an index of all documents in `store`; return its counts."""
        ...

    def load(self, path: Path) -> Leg:
        """Open what `build` wrote."""
        ...
