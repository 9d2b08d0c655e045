"""How a recipe names a language model, and what it may ask of it."""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt, model_validator

from core.address import is_loopback
from core.recipe import From, Neutral, Part


class OpenAI(Part):
    """Any server with `POST /v1/chat/completions`."""

    type: Literal["openai"]
    model: str = "qwen3-30b-a3b-instruct-2507"
    """Name of the model, as the server knows it."""
    base_url: Annotated[str | None, Neutral()] = None
    """Address up to and with `/v1`. null: the first of `base_url_env` that is set."""
    base_url_env: Annotated[tuple[str, ...], Neutral()] = ("OPENAI_BASE_URL", "QWEN_URL")
    """Environment variables that may hold the address, in this order."""
    api_key_env: Annotated[tuple[str, ...], Neutral()] = ("OPENAI_API_KEY", "QWEN_API_KEY")
    """Environment variables that may hold the key, in this order; none set: no key is sent."""


class Served(Part):
    """A model that `dr` serves itself, for as long as it is needed, in a process of its own."""

    model: Annotated[str, From("sft", "rl", "export", or_name=True), Field(min_length=1)]
    """Artifact of `dr sft train`, `dr rl train` or `dr rl export`, folder of a model, or its name on the hub."""
    engine: Annotated[Literal["vllm", "transformers", "local"], Neutral()] = "vllm"
    """`vllm`: its OpenAI server, on a GPU or (built for it) a CPU. `transformers`: `transformers serve`, for tests.
    `local`: our own on transformers, for small models and one GPU at most; it needs no further interpreter."""
    python: Annotated[Path, Neutral()] = Path(".venv-vllm/bin/python")
    """Interpreter in which the engine is installed; `dr env create` makes it. `local` runs in that of `dr`."""
    host: Annotated[str, Neutral()] = "127.0.0.1"
    """Address to listen on; another than loopback (0.0.0.0: all) needs `api_key_env`."""
    port: Annotated[int, Field(ge=0, le=65535), Neutral()] = 8000
    """Port to listen on. 0: a free one."""
    api_key_env: Annotated[str | None, Neutral()] = None
    """Environment variable that holds the key which callers must send. null: none is asked for."""
    gpu_memory_utilization: Annotated[float, Field(gt=0, le=1), Neutral()] = 0.9
    """Share of each GPU's memory that vLLM takes; of no effect on a CPU."""
    cpu_cache_gib: Annotated[PositiveInt, Neutral()] = 4
    """Memory of the key-value cache in GiB where there is no GPU."""
    max_model_len: PositiveInt | None = None
    """Tokens of prompt and answer together. null: as the model says."""
    tensor_parallel_size: Annotated[PositiveInt, Neutral()] = 1
    """GPUs that share the model."""
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    """Number format of the weights. `auto`: the model's own, or float32 on a CPU that has no arithmetic for it."""
    adapters: dict[str, Path] = Field(default_factory=dict)
    """LoRA adapters (folders) by the model name under which they answer."""
    startup_seconds: Annotated[PositiveInt, Neutral()] = 600
    """How long the server may take until it is healthy."""
    arguments: Annotated[tuple[str, ...], Neutral()] = ()
    """Further arguments of the engine's own, word by word."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.api_key_env is None and not is_loopback(self.host):
            raise ValueError(
                f"`host` {self.host} is open to other machines and needs `api_key_env`: the name of an environment "
                "variable that holds a key"
            )
        further: dict[str, object] = {"tensor_parallel_size": 1, "adapters": {}}
        if self.engine == "transformers":
            further = {"api_key_env": None, "max_model_len": None, **further}
        too_much = [f"`{name}`" for name, default in further.items() if getattr(self, name) != default]
        if self.engine != "vllm" and too_much:
            who = "`transformers serve`" if self.engine == "transformers" else "`engine: local`"
            raise ValueError(f"{who} knows no {', '.join(too_much)}: `engine: vllm` does")
        return self


class Vllm(Served):
    """A model that `dr` serves itself, for as long as it is needed, in an interpreter of its own."""

    type: Literal["vllm"]


class Local(Served):
    """A model that `dr` serves itself, for as long as it is needed, by transformers in its own interpreter."""

    type: Literal["local"]
    engine: Annotated[Literal["local"], Neutral()] = "local"
    """Always `local`."""
    port: Annotated[int, Field(ge=0, le=65535), Neutral()] = 0
    """Port to listen on. 0: a free one."""


Server = Annotated[OpenAI | Vllm | Local, Field(discriminator="type")]


class Budget(Part):
    """Caps over the whole run, those of earlier runs of the same work included; reaching one stops the run whole."""

    max_tokens: PositiveInt | None = None
    """Prompt and answer tokens together. null: no cap."""
    max_cost: PositiveFloat | None = None
    """In the currency of the prices; needs both. null: no cap."""
    price_per_million_prompt_tokens: NonNegativeFloat | None = None
    """What a million prompt tokens cost. null: unknown, no cost is told."""
    price_per_million_answer_tokens: NonNegativeFloat | None = None
    """What a million answer tokens cost. null: unknown, no cost is told."""

    @model_validator(mode="after")
    def _a_cap_needs_prices(self) -> Self:
        prices = (self.price_per_million_prompt_tokens, self.price_per_million_answer_tokens)
        if self.max_cost is not None and None in prices:
            raise ValueError("`max_cost` needs `price_per_million_prompt_tokens` and `price_per_million_answer_tokens`")
        return self


class Llm(Part):
    """A language model, how it is asked, and how hard the server may be pushed."""

    server: Server
    """Who answers."""
    temperature: Annotated[float, Field(ge=0, le=2)] = 0.1
    """Sampling temperature; 0 takes the likeliest token."""
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    """Mass of the tokens sampled from. null: the server's default."""
    max_tokens: PositiveInt = 1024
    """Tokens of an answer at most."""
    thinking: bool = False
    """Whether a model that can think aloud does (`enable_thinking` of the chat template)."""
    response_format: Literal["auto", "json_schema", "json_object", "none"] = "auto"
    """How JSON is asked for: by schema, as any object, in words alone. `auto`: the first that the server takes."""
    concurrency: Annotated[PositiveInt, Neutral()] = 64
    """Requests under way at most; fewer are when the server says that it is overloaded."""
    requests_per_minute: Annotated[PositiveInt | None, Neutral()] = None
    """The account's limit. null: none."""
    tokens_per_minute: Annotated[PositiveInt | None, Neutral()] = None
    """The account's limit, prompt and answer together. null: none."""
    timeout_seconds: Annotated[PositiveFloat, Neutral()] = 120.0
    """How long one answer may take."""
    retries: Annotated[NonNegativeInt, Neutral()] = 6
    """Further tries of a request that failed for a reason that may pass (5xx, 429, time-out, lost connection)."""
    restart_seconds: Annotated[NonNegativeFloat, Neutral()] = 60.0
    """How long a server that had answered may be gone, as for a restart: all wait for it, then the run ends."""
    budget: Annotated[Budget, Neutral()] = Budget()
    """What the answers may cost."""
    cache: Annotated[Path | None, Neutral()] = None
    """File of answers that several recipes share, by digest of the request. null: each artifact keeps its own."""
