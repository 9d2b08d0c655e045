"""What `/v1/embeddings` (OpenAI's shape) and `/similarity` are asked, and what they answer."""

import base64
from collections.abc import Sequence
from itertools import chain
from typing import Annotated, Any, Literal, Self

import numpy as np
import orjson
from pydantic import BeforeValidator, Field, model_validator

from core.serve.embedding import Embedded, Kind, Text, cut
from core.serve.protocol import as_list
from core.serve.refused import Body


def _texts(given: Any) -> Any:
    """Refuses what OpenAI takes besides: tokens say nothing without the tokenizer they came from."""
    inner = given[:1] if isinstance(given, list) else []
    if inner and isinstance(inner[0], list | int):
        raise ValueError("arrays of tokens are not taken: send texts")
    return as_list(given)


class Wish(Body):
    """The body of `POST /v1/embeddings`."""

    input: Annotated[list[str], BeforeValidator(_texts), Field(min_length=1)]
    """Texts, or a single one; an empty one is embedded as a blank."""
    model: str | None = None
    """The served model's name; null: the served model."""
    encoding_format: Literal["float", "base64"] = "float"
    """Numbers, or their bytes as base64 (32 bits each, little-endian)."""
    dimensions: int | None = Field(default=None, ge=1)
    """Cut vectors here and bring them to length 1 again, for a model trained so (Matryoshka). null: all."""
    input_type: Kind = "document"
    """Which prompt of the model is put before the texts: `query` or `document`. OpenAI has no such field."""

    @property
    def texts(self) -> list[Text]:
        """What to embed."""
        return [Text(self.input_type, text) for text in self.input]


Pair = Annotated[list[str], Field(min_length=2, max_length=2)]


class Comparison(Body):
    """The body of `POST /similarity`: `pairs`, or `query` and `documents`."""

    pairs: Annotated[list[Pair], Field(min_length=1)] | None = None
    """A query and a document each."""
    query: str | None = None
    """Compared with each of `documents`."""
    documents: Annotated[list[str], BeforeValidator(as_list), Field(min_length=1)] | None = None
    """Texts, or a single one."""

    @model_validator(mode="after")
    def _one_form(self) -> Self:
        if (self.pairs is None) == (self.query is None or self.documents is None):
            raise ValueError("give either `pairs`, or `query` and `documents`")
        return self

    @property
    def texts(self) -> list[Text]:
        """What to embed: of each pair its query, then its document."""
        pairs = self.pairs or [[self.query or "", document] for document in self.documents or ()]
        return list(chain.from_iterable((Text("query", one), Text("document", other)) for one, other in pairs))


def embeddings(rows: Sequence[Embedded], wish: Wish, model: str) -> bytes:
    """The vectors as JSON, in the order of the texts."""
    vectors = [cut(row.vector, wish.dimensions) for row in rows]
    shown: list[Any] = [_base64(vector) for vector in vectors] if wish.encoding_format == "base64" else vectors
    num_tokens = sum(row.num_tokens for row in rows)
    answer = {
        "object": "list",
        "data": [{"object": "embedding", "index": i, "embedding": each} for i, each in enumerate(shown)],
        "model": model,
        "usage": {"prompt_tokens": num_tokens, "total_tokens": num_tokens},
    }
    return orjson.dumps(answer, option=orjson.OPT_SERIALIZE_NUMPY)


def similarities(rows: Sequence[Embedded], model: str) -> bytes:
    """The cosine of each pair as JSON; `rows` alternate between the sides. 0 where a text has no vector."""
    one, other = (np.array([row.vector for row in rows[side::2]], np.float64) for side in (0, 1))
    cosines = np.clip(np.einsum("pd,pd->p", one, other), -1, 1)
    return orjson.dumps({"code": 200, "message": "success", "model": model, "similarities": cosines.tolist()})


def models(name: str, created: int) -> bytes:
    """The answer of `GET /v1/models`; `created` in seconds since 1970."""
    model = {"id": name, "object": "model", "created": created, "owned_by": "dr"}
    return orjson.dumps({"object": "list", "data": [model]})


def _base64(vector: Any) -> str:
    return base64.b64encode(vector.astype("<f4").tobytes()).decode()
