"""What a recipe of `dr distill personas` says."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, PositiveInt, field_validator

from core.llm.spec import Llm
from core.recipe import ArtifactRecipe, Part, SourceFiles
from core.retrieval.spec import Bm25, Dense


class PersonaDense(Dense):
    """Search by meaning: the model encodes personas as documents and a corpus's documents as queries."""

    max_tokens: PositiveInt | None = 256
    """Tokens of a persona, and of a document that is searched with, that are encoded. null: as the model says."""


class Translate(Part):
    """Personas put into Chinese by a language model; every answer is kept as it comes and paid once."""

    llm: Llm
    """The model that translates."""
    prompt: str = "请把下面的人物描述译成通顺的简体中文。只写译文，不加解释和引号。\n\n$persona"
    """What the model is told; `$persona` is where the description goes."""
    attempts: PositiveInt = 3
    """Times a translation is asked for when the answer cannot be used."""

    @field_validator("prompt")
    @classmethod
    def _holds_the_persona(cls, prompt: str) -> str:
        if "$persona" not in prompt:
            raise ValueError("the prompt has no `$persona`: every answer would be the same")
        return prompt


class Recipe(ArtifactRecipe):
    """Filter, translate and index a library of personas."""

    resumes = True
    stage: Literal["personas"]
    source: Annotated[Path, SourceFiles()]
    """File of lines: objects with the text `persona` (or `input persona`), in JSON or as Python writes a dict."""
    keywords: tuple[Annotated[str, Field(min_length=1)], ...] = ()
    """A persona is taken when it holds one of these, in any case, also inside a word. Empty: all are taken."""
    limit: PositiveInt | None = None
    """Personas taken at most, the first ones. null: all."""
    translate: Translate | None = None
    """How personas are put into Chinese. null: they stay as they are."""
    backend: Annotated[Bm25 | PersonaDense, Field(discriminator="type")] = Bm25()
    """How personas are found for a document. BM25 finds nothing across languages."""
    on_bad_row: Literal["fail", "reject"] = "fail"
    """`fail`: the first five are shown and nothing is made. `reject`: they go to rejected.jsonl and are counted."""
