"""What `dr eval` can be told."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, PositiveInt, model_validator

from core.eval.names import parse
from core.llm.rewriting.spec import Rewriter, prompts_at
from core.recipe import CORPUS, ArtifactRecipe, From, Neutral, Part, SourceFiles
from core.remote.spec import AnyEngine
from core.retrieval.spec import Method

MeasureName = Annotated[str, AfterValidator(lambda name: str(parse(name)))]


class SearchIndex(Part):
    """Search an index with the queries that have judgements."""

    type: Literal["index"]
    path: Annotated[Path, From("index")]
    """Artifact of `dr index build`."""
    method: Method | None = None
    """Which way of the index to use; null: its own kind."""
    alpha: Annotated[float, Field(ge=0, le=1)] | None = None
    """Weight of BM25 in a hybrid answer; null: the index's own."""
    task: str | None = None
    """Fills the task slot of the dense model's query prompt; null: as the model says."""


class RunFile(Part):
    """Score hits that something else found."""

    type: Literal["run"]
    path: Annotated[Path, SourceFiles()]
    """TREC run: `query Q0 document rank score tag`, or `query document score`."""


class AskEngine(Part):
    """Ask a search engine of others. Judgements and `data` must be of its collection: ids are compared."""

    type: Literal["engine"]
    engine: AnyEngine
    """The engine; one that is slow keeps its answers in `cache`."""


System = Annotated[SearchIndex | AskEngine | RunFile, Field(discriminator="type")]


class Expectation(Part):
    """A score that is to be met from both sides."""

    value: float
    """The score expected."""
    tolerance: Annotated[float, Field(ge=0)]
    """How far below or above it may lie."""


def _each_once(expect: Any) -> Any:
    """Refuses two names of one measure, of which the second would silently win."""
    known: dict[str, str] = {}
    for name in expect if isinstance(expect, Mapping) else ():
        if (other := known.setdefault(str(parse(str(name))), str(name))) != str(name):
            raise ValueError(f"`{other}` and `{name}` are one measure")
    return expect


class Recipe(ArtifactRecipe):
    """Measure a system against judgements."""

    resumes = True  # a rewriter's answers are kept

    stage: Literal["eval"]
    data: Annotated[Path, CORPUS]
    """Corpus (of `dr data`, `dr data mix` or `dr distill`) with the queries and judgements."""
    split: str = "test"
    """Which judgements: the name of a file in its `qrels/`."""
    system: System
    """Where the hits come from."""
    rewrites: Annotated[Path | None, From("rewrite")] = None
    """Artifact of `dr rewrite`: the index is searched with its queries, and with the original ones to compare. null:
    with the original ones alone."""
    rewriter: Rewriter | None = None
    """Model that rewrites the judged queries first, such as a checkpoint of `dr rl train`; the rest is as with
    `rewrites`. null: nobody does."""
    fuse: Literal["rrf"] | None = None
    """rrf: original and rewritten query search together, by reciprocal rank (k 60); the scores are those of both. null:
    the rewritten query alone."""
    depth: PositiveInt = 100
    """Hits asked for each query; must reach the deepest measure."""
    measures: Annotated[tuple[MeasureName, ...], Field(min_length=1)] = (
        "ndcg@10",
        "recall@10",
        "recall@100",
        "mrr@10",
        "map",
        "hit@3",
        "hit@5",
    )
    """Measures by our names (ndcg@k recall@k precision@k mrr@k hit@k map) or source names (Top3@accuracy, MRR)."""
    ignore_identical_ids: bool = False
    """Whether a hit whose id is the query's own is left out, as BEIR does for sets whose queries are documents."""
    expect: Annotated[
        Mapping[MeasureName, float | Expectation], BeforeValidator(_each_once), Neutral(), Field(default_factory=dict)
    ]
    """Gate: exit 4 when a score is below its floor, or outside `{value, tolerance}`. Empty: no gate."""

    def measured(self) -> list[str]:
        """All measures that are computed: those asked for, then those that only `expect` names."""
        return list(dict.fromkeys((*self.measures, *self.expect)))

    def identity(self) -> dict[str, Any]:
        """`expect` changes what is made only where it names a measure that nobody asked for."""
        fields = {name: value for name, value in super().identity().items() if not name.startswith("measures.")}
        return {**fields, "measures": sorted(self.measured())}

    def source_files(self) -> dict[str, Path]:
        """The user's files; a rewriter's prompts count among them, shipped ones too."""
        own = {"rewriter.prompts": prompts_at(self.rewriter.prompts)} if self.rewriter else {}
        return super().source_files() | own

    @model_validator(mode="after")
    def _rewrites_are_searched_with(self) -> "Recipe":
        if self.rewrites is not None and self.rewriter is not None:
            raise ValueError("`rewrites` and `rewriter` are both given: which of them is searched with?")
        rewritten = self.rewrites is not None or self.rewriter is not None
        if rewritten and isinstance(self.system, RunFile):
            raise ValueError(
                "`rewrites` are searched with: `system` must be of type `index` or `engine`, a run has been searched"
            )
        if self.fuse is not None and not rewritten:
            raise ValueError("`fuse` joins original and rewritten queries, and there are no `rewrites`")
        return self

    @model_validator(mode="after")
    def _engine_gives_as_many(self) -> "Recipe":
        engine = self.system.engine if isinstance(self.system, AskEngine) else None
        if engine and engine.deepest and self.depth + self.ignore_identical_ids > engine.deepest:
            raise ValueError(f"`depth` is {self.depth}: {engine.service} gives {engine.deepest} documents at most")
        return self

    @model_validator(mode="after")
    def _depth_reaches_measures(self) -> "Recipe":
        deepest = max((parse(name).cutoff or 0 for name in self.measured()), default=0)
        if deepest > self.depth:
            raise ValueError(f"`depth` is {self.depth}, but a measure looks at {deepest} hits")
        return self
