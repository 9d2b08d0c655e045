"""What `dr index build` can be told."""

from pathlib import Path
from typing import Annotated, Literal

from core.recipe import CORPUS, ArtifactRecipe
from core.retrieval.spec import Backend


class Recipe(ArtifactRecipe):
    """Build a search index."""

    stage: Literal["index"]
    data: Annotated[Path, CORPUS]
    """Corpus (of `dr data`, `dr data mix` or `dr distill`) whose documents are indexed."""
    backend: Backend
    """The kind of index and its options."""
