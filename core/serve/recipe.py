"""What `dr serve` can be told."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, NonNegativeFloat, PositiveInt, model_validator

from core.address import is_loopback
from core.llm.rewriting.spec import Rewriter, prompts_at
from core.llm.spec import OpenAI
from core.recipe import BaseRecipe, From
from core.recipe.model import Input
from core.remote.spec import AnyEngine
from core.retrieval.spec import Method

FOR_AN_INDEX = ("retrieval_method", "alpha")
"""Fields that mean nothing without an index."""


class Recipe(BaseRecipe):
    """Answer queries, and embed texts, over HTTP."""

    stage: Literal["serve"]
    index: Annotated[Path | None, From("index")] = None
    """Artifact of `dr index build` to search. null: `model` is served alone."""
    engine: AnyEngine | None = None
    """Search engine of others that answers in place of an index, under one limit and with one memory for all callers.
    null: none."""
    model: Annotated[str | None, From("embed", "merge", or_name=True), Field(min_length=1)] = None
    """Artifact of `dr embed train` or `dr embed merge` (of a training, its best checkpoint, also while it goes on),
    folder or hub name of the model whose vectors are served. null: the index's own dense model, where it has one."""
    model_name: str | None = None
    """What clients call the model (`model` of OpenAI's requests). null: as it stands in `model`, or in the index."""
    rewrite: Rewriter | None = None
    """Who answers `POST /rewrite`: a language model that runs elsewhere, and the template it is asked with. null:
    nobody does."""
    trust_remote_code: bool = False
    """Whether code that comes with `model` may run."""
    host: str = "127.0.0.1"
    """Address to listen on. One that is not loopback (0.0.0.0: all) needs `token_env`."""
    port: Annotated[int, Field(ge=0, le=65535)] = 8080
    """Port to listen on; 0 takes a free one, which the log names."""
    token_env: str | None = None
    """Environment variable with the token that requests must bring as `Authorization: Bearer`. null: no token."""
    retrieval_method: Method | None = None
    """How a request that names no method is answered: bm25, dense or hybrid. null: the index's own kind."""
    alpha: Annotated[float, Field(ge=0, le=1)] | None = None
    """Weight of BM25 in a hybrid answer when the request gives none; 0 is dense alone. null: the index's own."""
    top_k: PositiveInt = 5
    """Documents for each query when the request does not say."""
    task_desc: str | None = None
    """What queries are for, put into the task slot of the query prompt of dense models. null: as the model says."""
    log_path: Path | None = None
    """One JSON line for each request: a file, or a folder (a name without suffix) for requests.jsonl. null: none."""
    log_queries: bool = False
    """Whether the text of the queries, and of what is embedded, is in those lines too."""
    max_top_k: PositiveInt = 1000
    """Most documents that a request may ask for each query."""
    max_queries: PositiveInt = 4096
    """Most queries, or texts to embed, in one request: a trainer may send a whole batch of rollouts."""
    query_max_characters: PositiveInt | None = 32_768
    """Characters of a query or of a text to embed; a request with a longer one is refused. null: any number."""
    max_body_bytes: PositiveInt = 32 * 1024 * 1024
    """Most bytes of one request."""
    max_batch: PositiveInt = 256
    """Most queries of different requests that are searched together."""
    max_batch_texts: PositiveInt = 64
    """Most texts that the model embeds at a time: bounds its memory, and how long a search waits for the index's own
    model."""
    max_wait_milliseconds: NonNegativeFloat = 1.0
    """How long an idle engine waits for more requests to work on with the first. 0: not at all."""
    max_queue: PositiveInt = 8192
    """Most queries that wait to be searched, and texts to be embedded; a request beyond it is answered 503."""
    retry_after_seconds: PositiveInt = 1
    """What the header Retry-After of a 503 says."""

    def inputs(self) -> list[Input]:
        """As ever, but for a training that goes on: it has no manifest yet, and checkpoints that can be served."""
        return [item for item in super().inputs() if item.name != "model" or (item.path / "manifest.json").exists()]

    def source_files(self) -> dict[str, Path]:
        """The prompt template, where there is one."""
        return super().source_files() | ({"rewrite.prompts": prompts_at(self.rewrite.prompts)} if self.rewrite else {})

    @model_validator(mode="after")
    def _rewriter_is_elsewhere(self) -> "Recipe":
        if self.rewrite is not None and not isinstance(self.rewrite.llm.server, OpenAI):
            raise ValueError(
                "`rewrite.llm.server` must be of type `openai`: start the model by `dr serve llm`, and name its "
                "address as `base_url`"
            )
        return self

    @model_validator(mode="after")
    def _check(self) -> "Recipe":
        if not (self.index or self.engine or self.model or self.rewrite):
            raise ValueError(
                "there is nothing to serve: give `index` (artifact of `dr index build`), `engine` (of others), `model` "
                "(artifact of `dr embed`, folder or hub name), `rewrite` (a language model), or several"
            )
        if self.index and self.engine:
            raise ValueError("`index` and `engine` are both given: which of them answers `POST /retrieve`?")
        if self.engine and self.engine.deepest and self.max_top_k > self.engine.deepest:
            raise ValueError(f"`max_top_k` is {self.max_top_k}: {self.engine.service} gives {self.engine.deepest}")
        if self.index is None and (stray := [name for name in FOR_AN_INDEX if getattr(self, name) is not None]):
            raise ValueError(f"`{stray[0]}` says how an index is searched, and there is no `index`")
        if self.token_env is None and not is_loopback(self.host):
            raise ValueError(
                f"`host` {self.host} is open to other machines and needs `token_env`: the name of an environment "
                "variable that holds a token"
            )
        if self.top_k > self.max_top_k:
            raise ValueError(f"`top_k` is {self.top_k}, above `max_top_k` {self.max_top_k}")
        if self.max_queries > self.max_queue:
            raise ValueError(f"`max_queries` is {self.max_queries}: it would never fit `max_queue` {self.max_queue}")
        return self
