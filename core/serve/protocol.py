"""What `/retrieve` is asked and what it answers: one shape for the clients of domain search stacks, Search-R1 and verl.

An answer carries the same hits under two keys. `data` is what the former read. `result` is what Search-R1's
and verl's read; these take the first line of `contents` as the title, so there it always is one: see `titled`.
"""

from collections.abc import Sequence
from typing import Annotated, Any

import orjson
from pydantic import AliasChoices, BeforeValidator, Field

from core.retrieval.spec import Method
from core.serve import refused
from core.serve.refused import Body
from core.types import Document

Found = tuple[Document, float]
"""A document with its score."""


def as_list(texts: Any) -> Any:
    """A single text as a list of one."""
    return [texts] if isinstance(texts, str) else texts


class Question(Body):
    """The body of `POST /retrieve`."""

    queries: Annotated[list[str], BeforeValidator(as_list), Field(min_length=1)]
    """Texts, or a single one. A blank text finds nothing: one empty rollout must not cost the others their answer."""
    topk: int | None = Field(default=None, validation_alias=AliasChoices("topk", "top_k"))
    """Documents for each query; null: as the server was started."""
    return_scores: bool = False
    """Whether `result` has scores; `data` always has."""
    retrieval_type: Method | None = Field(
        default=None, validation_alias=AliasChoices("retrieval_type", "retrieval_method")
    )
    """bm25, dense or hybrid; null: as the server was started."""
    hybrid_alpha: float | None = Field(
        default=None, ge=0, le=1, validation_alias=AliasChoices("hybrid_alpha", "alpha", "bm25_weight")
    )
    """Weight of BM25 in a hybrid answer, 0 to 1; null: as the server was started."""


def read(body: bytes) -> Question:
    """The question in a request's body.

    Raises:
        Refused: 400 when it is not JSON, 422 when it asks nothing valid. Never quotes a query.
    """
    return refused.read(Question, body, '{"queries": ["..."], "topk": 5}')


def answer(found: Sequence[Sequence[Found]], *, scores: bool, **echo: Any) -> bytes:
    """The answer as JSON, a row of hits for each query in order; `echo` says how they were found."""
    data = [[{"id": d.id, "contents": d.contents, "score": score} for d, score in hits] for hits in found]
    if scores:
        result = [[{"document": _document(d), "score": score} for d, score in hits] for hits in found]
    else:
        result = [[_document(d) for d, _ in hits] for hits in found]
    return orjson.dumps({"code": 200, "message": "success", "data": data, "result": result, **echo})


def _document(document: Document) -> dict[str, Any]:
    return {"id": document.id, "contents": titled(document)}


def titled(document: Document) -> str:
    """`"title"`, a line end, the text: the form of the corpora that Search-R1's clients were written for.

    A document without a title gets an empty one (`""`): else its first line, which for most Chinese documents is all
    of it, would be shown as the title of an empty text. A text that already begins with a title in quotes is kept.
    """
    first, line_end, _ = document.text.partition("\n")
    if not document.title and line_end and len(first) > 1 and first[0] == first[-1] == '"':
        return document.text
    return f'"{" ".join(document.title.split())}"\n{document.text}'
