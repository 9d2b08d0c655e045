"""What a recipe of `dr data mix` says."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from core.recipe import CORPUS, ArtifactRecipe, From, Part

Strategy = Literal["proportional", "uniform"]


class MixedSet(Part):
    """One of the sets."""

    path: Annotated[Path, From(*CORPUS.stages, "mine", "rows", "reasoning", or_name=True)]
    """Artifact, or a file of rows (.jsonl, .parquet). All sets are of one kind: corpora, or rows with equal fields."""
    weight: PositiveFloat = 1.0
    """How much of it is wanted, against the other sets."""
    name: str | None = Field(None, pattern=r"^[\w.-]+$")
    """Goes before the ids of a corpus, as `name/id`. null: the last part of the path."""

    def title(self) -> str:
        """The name, as it is shown."""
        return self.name or self.path.stem


class Recipe(ArtifactRecipe):
    """Mix several sets into one."""

    stage: Literal["mix"]
    sets: tuple[MixedSet, ...] = Field(min_length=1)
    """What is mixed."""
    sampling_strategy: Strategy = "proportional"
    """`proportional`: shares go by weight × number of rows. `uniform`: by weight alone, however large a set is."""
    size: PositiveInt | None = None
    """Rows (of corpora: training queries) in all. null: as many as the shares allow without a row twice."""
    repeat: bool = False
    """Whether a set that is too small for its share of `size` is gone through again; otherwise that is an error."""

    @model_validator(mode="after")
    def _names_differ(self) -> "Recipe":
        titles = [part.title() for part in self.sets]
        if double := next((title for title in titles if titles.count(title) > 1), None):
            raise ValueError(f"two sets are named `{double}`: give one of them a `name`")
        if self.repeat and self.size is None:
            raise ValueError("`repeat` needs a `size`: without one no row is taken twice")
        return self

    def source_files(self) -> dict[str, Path]:
        """The files of rows among the sets, and the folders that are no artifacts."""
        files = {f"sets.{place}.path": part.path for place, part in enumerate(self.sets) if part.path.is_file()}
        return super().source_files() | files
