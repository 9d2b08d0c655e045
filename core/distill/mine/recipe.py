"""What a recipe of `dr distill mine` says."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import NonNegativeFloat, NonNegativeInt, PositiveInt, model_validator

from core.recipe import CORPUS, ArtifactRecipe, From, Neutral, Part
from core.retrieval.spec import Method


class Window(Part):
    """Ranks that hard negatives come from, counted over all hits, the positives among them."""

    skip: NonNegativeInt = 3
    """First ranks that are left out: there stand documents that answer the query and that nobody has judged."""
    depth: PositiveInt = 100
    """Last rank looked at: hits searched for each query."""

    @model_validator(mode="after")
    def _holds_a_rank(self) -> "Window":
        if self.skip >= self.depth:
            raise ValueError(f"`skip` is {self.skip} and `depth` {self.depth}: no rank is left between them")
        return self


class Limits(Part):
    """How high a hard negative may score; of several positives the one that scores lowest counts.

    A positive that is not among the hits scores no higher than any of them, so under a margin no hit is left.
    """

    max_score: float | None = None
    """Highest score of a negative. null: no bound."""
    absolute_margin: NonNegativeFloat | None = None
    """A negative scores lower than the positive by more than this; 0: just lower. null: not asked."""
    relative_margin: NonNegativeFloat | None = None
    """A negative scores lower than positive − margin × |positive|; 0.05 is 95 % of a positive score above zero, and
    stays below the positive where it is negative. null: not asked. (NV-Retriever, Moreira et al. 2024,
    arXiv:2407.15831; the absolute value as in sentence-transformers' issue 3819.)"""


class Reranker(Part):
    """A cross-encoder that looks at the candidates again; its scores replace the index's in the examples."""

    model: Annotated[str, From(or_name=True)]
    """Folder of a sentence-transformers CrossEncoder with one label, or its name on the hub."""
    limits: Limits = Limits(absolute_margin=0.0)
    """How high a negative may score in its eyes."""
    candidates: PositiveInt = 20
    """Candidates of a query that it looks at, in the order of `choose`; further ones are not taken."""
    batch_size: Annotated[PositiveInt, Neutral()] = 32
    """Pairs scored at a time."""
    max_tokens: PositiveInt | None = None
    """Tokens of a pair that are read. null: as the model says."""
    trust_remote_code: bool = False
    """Whether code that comes with the model may run."""


class Recipe(ArtifactRecipe):
    """Find hard negatives for judged queries."""

    stage: Literal["mine"]
    queries: Annotated[Path, CORPUS]
    """Artifact with the queries and their judgements."""
    split: str = "train"
    """Which judgements: the name of a file in its `qrels/`."""
    index: Annotated[Path, From("index")]
    """Artifact of `dr index build` in which negatives are looked for; texts come from it."""
    method: Method | None = None
    """Which way of the index to use: bm25, dense or hybrid. null: its own kind."""
    task: str | None = None
    """Fills the task slot of the dense model's query prompt. null: as the model says."""
    hard: NonNegativeInt = 2
    """Negatives of each query from the hits of the index."""
    easy: NonNegativeInt = 2
    """Negatives of each query drawn from the whole corpus; they carry no score."""
    window: Window = Window()
    """Ranks that hard ones come from."""
    choose: Literal["top", "random"] = "top"
    """Which of the candidates that are left: those that rank first, or drawn among all of them."""
    limits: Limits = Limits(relative_margin=0.05)
    """How high a hard negative may score in the index."""
    reranker: Reranker | None = None
    """A second look by a cross-encoder. null: none."""
    on_shortage: Literal["fail", "fewer", "easy"] = "easy"
    """When a query has too few hard ones: stop, take fewer, or fill up with easy ones. All are counted and told."""
    batch_size: Annotated[PositiveInt, Neutral()] = 512
    """Queries searched at a time; only what rounding a model's own batches make of it can change the result."""

    @model_validator(mode="after")
    def _asks_for_some(self) -> "Recipe":
        if self.hard + self.easy == 0:
            raise ValueError("`hard` and `easy` are both 0: there is nothing to mine")
        if self.reranker and self.reranker.candidates < self.hard:
            raise ValueError(f"`reranker.candidates` is {self.reranker.candidates}, fewer than `hard`: {self.hard}")
        return self
