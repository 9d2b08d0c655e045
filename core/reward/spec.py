"""How a recipe names a reward: its parts, and the services they ask. Ours alone; see `plain`."""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt, model_validator

from core.recipe import Neutral, Part
from core.retrieval.spec import Method
from core.reward.parts.spec import AnyPart, Format, Graded, Ranking
from core.text.answer import BOX


class Retriever(Part):
    """A retrieval server, `dr serve` or another of its protocol, that is asked in batches."""

    url: Annotated[str, Neutral()] = "http://127.0.0.1:8080/retrieve"
    """Address of `POST /retrieve`."""
    token_env: Annotated[tuple[str, ...], Neutral()] = ()
    """Environment variables that may hold the server's token, in this order; none set: none is sent."""
    retrieval_method: Method | None = None
    """bm25, dense or hybrid. null: as the server was started."""
    alpha: Annotated[float, Field(ge=0, le=1)] | None = None
    """Weight of BM25 in a hybrid answer. null: as the server was started."""
    query_max_characters: PositiveInt = 32_768
    """A longer query finds nothing, and costs the others nothing; the server's own bound or below it."""
    max_queries: Annotated[PositiveInt, Neutral()] = 4096
    """Queries of one request at most; the server's own bound or below it."""
    max_hits: Annotated[PositiveInt, Neutral()] = 65_536
    """Documents that one answer may hold: with k documents a query, a request has so many queries fewer."""
    remembered_hits: Annotated[NonNegativeInt, Neutral()] = 1_000_000
    """Documents that are remembered of earlier answers, the latest; the same query is not searched again."""
    requests_per_minute: Annotated[PositiveInt | None, Neutral()] = None
    """Limit of a public service, of one process. null: none."""
    timeout_seconds: Annotated[PositiveFloat, Neutral()] = 30.0
    """How long one answer may take."""
    retries: Annotated[NonNegativeInt, Neutral()] = 8
    """Further tries after a lost connection, a time-out, 429 or 5xx; `Retry-After` is honoured."""
    give_up_seconds: Annotated[PositiveFloat, Neutral()] = 120.0
    """Bound over all tries and pauses of one request; after it the retriever has failed, and the run stops."""


class Reward(Part):
    """A sum of weighted parts."""

    parts: Annotated[tuple[AnyPart, ...], Field(min_length=1)]
    """What counts, in the order of the logs."""
    retriever: Retriever = Retriever()
    """Who is asked by the parts that search."""
    prefilled_think: bool = False
    """Whether the prompt already ends in `<think>`, which a response then lacks."""
    answer_key: str = "query"
    """Key of the JSON object in the answer."""
    box: tuple[str, str] = BOX
    """Marks around a final answer, beside `\\boxed{}`; the default ones are special tokens that trainers strip."""
    step_words: Annotated[tuple[str, ...], Field(min_length=1)] = ("Step",)
    """Words that begin a step: `Step 1:`, `步骤 1：`."""
    on_failure: Literal["stop", "exclude"] = "stop"
    """When a judge fails at one sample: stop, or leave the sample out, where the trainer can. Services that are gone
    stop the run in both cases."""
    most_excluded: Annotated[float, Field(ge=0, le=1)] = 0.1
    """Share of the samples scored together that may be left out; more stop the run."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        keys = [part.key for part in self.parts]
        if double := [key for key in keys if keys.count(key) > 1 or key == "score"]:
            raise ValueError(f"the parts need different names, other than `score`: `{double[0]}` (set `name`)")
        if sum(isinstance(part, Format) for part in self.parts) > 1:
            raise ValueError("one part `format` is enough: which of them should decide?")
        return self

    @property
    def searches(self) -> bool:
        """Whether a part asks the retriever."""
        return any(isinstance(part, Ranking) for part in self.parts)

    def prompt_folders(self) -> dict[str, Path]:
        """Where the judges' templates lie, by field name: they may be edited, so they count as files of the user."""
        graded = ((number, part) for number, part in enumerate(self.parts) if isinstance(part, Graded))
        return {f"parts.{number}.prompt": part.prompt_folder() for number, part in graded}
