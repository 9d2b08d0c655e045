"""Which model is trained."""

from typing import Annotated, Literal, TypeAlias

from pydantic import Field, PositiveFloat, PositiveInt

from core.recipe import From, Part


class Static(Part):
    """A vector for each piece of text, learnt from nothing; a text is the mean of its pieces. Needs no download."""

    type: Literal["static"] = "static"
    dimension: PositiveInt = 512
    """Length of a vector."""
    vocabulary: PositiveInt = 20_000
    """Most pieces that the tokenizer learns; a small corpus gives fewer."""


class Lora(Part):
    """Low-rank adapters beside frozen weights (Hu et al. 2021, arXiv:2106.09685)."""

    rank: PositiveInt = 8
    """Rank of the two matrices of an adapter."""
    alpha: PositiveFloat = 32
    """Adapters count alpha / rank."""
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.05
    """Share of an adapter's inputs that is dropped while training."""
    target_modules: tuple[str, ...] = Field(("q_proj", "v_proj", "o_proj"), min_length=1)
    """Names of the layers that get an adapter; every layer whose dotted name ends so."""


class Pretrained(Part):
    """A model that exists: of sentence-transformers, or a plain transformer that gets a pooling."""

    type: Literal["pretrained"]
    name: Annotated[str, From("embed", "merge", or_name=True)]
    """Artifact of `dr embed train` or `dr embed merge`, folder of a model, or its name on the hub."""
    revision: str | None = None
    """Commit, tag or branch on the hub. null: its main branch."""
    pooling: Literal["last", "cls", "mean"] | None = None
    """Which vector stands for a text: of the last token (padding goes left), of the first, or the mean. null: as the
    model's own folder says; a plain transformer has to be told."""
    projection: PositiveInt | None = None
    """Length of the vector that a new linear layer after the pooling makes; it is trained whole, beside adapters too.
    null: no such layer."""
    max_tokens: PositiveInt | None = None
    """Tokens of a text that are read, prompt and end of sequence among them. null: as the model says."""
    query_prompt: str | None = None
    """Put before every query; travels with the model. null: as the model says."""
    document_prompt: str | None = None
    """Put before every document; travels with the model. null: as the model says."""
    append_eos: bool | None = None
    """Whether the tokenizer ends a text with `<|endoftext|>`, as Qwen3-Embedding's does, or where it has no such token
    with its end-of-sequence token. null: it does where `pooling` is `last`."""
    lora: Lora | None = None
    """Train adapters instead of all weights. null: all weights."""
    trust_remote_code: bool = False
    """Whether code that comes with the model may run."""


Model: TypeAlias = Annotated[Static | Pretrained, Field(discriminator="type")]
