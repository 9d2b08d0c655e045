"""How a recipe says who rewrites queries, and in which words it is asked. Imports nothing heavy."""

import re
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field, PositiveInt

from core import shipped
from core.llm.spec import Llm
from core.recipe import Part

DEFAULT_URL = "http://localhost:8000/v1/chat/completions"
"""Where a model is asked that nobody says the place of."""


class RewriterLlm(Llm):
    """A language model that rewrites queries, how it is asked, and how hard the server may be pushed."""

    temperature: Annotated[float, Field(ge=0, le=2)] = 0.7
    """Sampling temperature; 0 takes the likeliest token."""
    max_tokens: PositiveInt = 512
    """Tokens of an answer at most, its thoughts included."""


def prompts_at(name: str) -> Path:
    """Where the template of this name lies: a shipped one, else a folder or a file of the user's own."""
    home = _shipped() / name
    return home if re.fullmatch(r"\w+", name) and home.is_dir() else shipped.found(Path(name))


def domains() -> list[str]:
    """Names of the shipped templates."""
    return sorted(path.name for path in _shipped().iterdir() if path.is_dir())


def _shipped() -> Path:
    return shipped.folder() / "rewrite" / "prompts"


def _known(name: str) -> str:
    if re.fullmatch(r"\w*", name) and not (name and prompts_at(name).exists()):
        raise ValueError(f"there is no such prompt template: {', '.join(domains())}, or the path of your own")
    return name


Template = Annotated[str, AfterValidator(_known)]
"""Name of a shipped prompt template for rewriting, or the path of one's own."""


class Rewriter(Part):
    """A language model, and the template it is asked with."""

    llm: RewriterLlm
    """The model that rewrites."""
    prompts: Template = "general"
    """Prompt template by its domain (finance, medicine, literature, general), or the path of your own: a folder with
    user.txt and perhaps system.txt, or one file. `$query` is where the query goes. A head between two lines of `---`
    may say `language`, `boolean` (whether it writes AND, OR, NOT) and `prefill` (whether it begins the answer)."""
