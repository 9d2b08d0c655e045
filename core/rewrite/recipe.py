"""What `dr rewrite` can be told."""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, PositiveInt

from core.llm.rewriting.spec import Rewriter, prompts_at
from core.recipe import CORPUS, ArtifactRecipe, Part, SourceFiles


class OfCorpus(Part):
    """The judged queries of a corpus."""

    type: Literal["corpus"]
    data: Annotated[Path, CORPUS]
    """Artifact of `dr data`, `dr data mix` or `dr distill`."""
    split: str | None = "test"
    """Queries with judgements in this split: the name of a file in its `qrels/`. null: all queries."""


class OfFile(Part):
    """Queries of one's own."""

    type: Literal["file"]
    path: Annotated[Path, SourceFiles()]
    """`.txt`: a query a line, its number the id. Else objects with an id (`id`, `_id`, `query_id`) and a text (`query`,
    `text`, `question`): JSON lines, a JSON array, Parquet, CSV or TSV."""


class Recipe(Rewriter, ArtifactRecipe):
    """Rewrite queries."""

    resumes = True
    stage: Literal["rewrite"]
    queries: Annotated[OfCorpus | OfFile, Field(discriminator="type")]
    """What is rewritten."""
    samples: PositiveInt = 1
    """Rewritten queries of each query. `dr eval` searches with the first of them."""

    def source_files(self) -> dict[str, Path]:
        """The user's files; the prompts count as one, shipped ones too, for they change from version to version."""
        return super().source_files() | {"prompts": prompts_at(self.prompts)}

    def identity(self) -> dict[str, Any]:
        """The seed decides nothing: the model draws as it likes."""
        return {name: value for name, value in super().identity().items() if name != "seed"}
