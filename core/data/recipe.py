"""What a recipe of `dr data` says."""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, NonNegativeInt, PositiveInt, model_validator

from core.data.sources.paths import named
from core.data.sources.spec import Sample, SourceSpec
from core.recipe import ArtifactRecipe, Part, SourceFiles
from core.recipe.model import marked


class Clean(Part):
    """How titles and texts are made tidy before anything else sees them."""

    unicode: Literal["NFC", "NFKC"] | None = "NFC"
    """Normal form. NFKC also makes ，a comma and ① a 1: search does that by itself, readers lose. null: none."""
    control_characters: bool = True
    """Whether control characters are taken out; tabs and line ends are white space."""
    invisible_characters: bool = True
    """Whether zero-width, soft-hyphen and direction marks are taken out; Persian, Hindi and emoji need them."""
    white_space: bool = True
    """Whether a run of white space becomes one line end if it holds one, else one blank; both ends are trimmed."""
    html: bool = False
    """Whether HTML tags, scripts and styles are taken out and entities like &amp; become their characters."""
    min_characters: PositiveInt = 1
    """Characters of title and text together below which a document is a bad row (see `on_bad_row`)."""


class Chunk(Part):
    """Long documents are cut between sentences; the pieces of `doc` are `doc#1`, `doc#2`, …

    A document that fits stays as it is. Each piece keeps the title. A judgement of a document becomes one of each of
    its pieces: which piece holds the answer is not known, and so each is right. Recall then counts pieces, and the
    figures of a chunked corpus do not compare with those of the whole one.
    """

    max_characters: PositiveInt = 1000
    """Most characters of a piece, without its title. A single longer sentence is cut at this length."""
    overlap_sentences: NonNegativeInt = 1
    """Sentences at the end of a piece that the next one begins with, as many of them as fit."""


class Split(Part):
    """The source's judgements, whatever its own splits, dealt out anew by `seed`."""

    by: Literal["query", "document"] = "document"
    """`document`: queries that share a relevant document stay together, so no split knows another's answers."""
    near_duplicates: Annotated[float, Field(gt=0, le=1)] | None = 0.8
    """Share of three-unit shingles (Jaccard) from which two relevant documents count as one, so that their queries stay
    together too; with `by: query` it is not asked. null: only a document itself binds its queries."""
    train: float = Field(0.8, ge=0, le=1)
    """Share of the judged queries for training; 0 makes no such split."""
    dev: float = Field(0.1, ge=0, le=1)
    """Share for choosing settings."""
    test: float = Field(0.1, ge=0, le=1)
    """Share for the final figures."""

    @model_validator(mode="after")
    def _whole(self) -> "Split":
        if abs((total := self.train + self.dev + self.test) - 1) > 1e-9:
            raise ValueError(f"the parts add up to {total:g}: make train + dev + test equal 1")
        return self

    def shares(self) -> dict[str, float]:
        """The splits to be made, without those of share 0."""
        shares = {"train": self.train, "dev": self.dev, "test": self.test}
        return {name: share for name, share in shares.items() if share}


class Recipe(ArtifactRecipe):
    """A corpus, checked and brought into BEIR form."""

    stage: Literal["data"]
    source: SourceSpec
    """Where the corpus comes from."""
    clean: Clean | None = Clean()
    """How text is made tidy. null: it is taken as it is."""
    chunk: Chunk | None = None
    """How long documents are cut. null: they stay whole."""
    split: Split | None = None
    """How judged queries are dealt out to train, dev and test. null: the source's own splits stay."""
    limit: PositiveInt | None = None
    """Documents taken (before they are cut): up to half of them judged ones of the first queries, then by order of the
    file. Queries that lose all their relevant documents are dropped and counted. null: all."""
    on_bad_row: Literal["fail", "reject"] = "fail"
    """`fail`: the first five are shown and nothing is made. `reject`: they go to rejected.jsonl and are counted."""

    def source_files(self) -> dict[str, Path]:
        """The user's files; a shipped sample counts as one, for it may change from version to version."""
        files: dict[str, Path] = {}
        for name, value, _ in marked(self, SourceFiles):
            files |= named(name, value)
        return files | {"source.name": self.source.folder()} if isinstance(self.source, Sample) else files

    def identity(self) -> dict[str, Any]:
        """As in every recipe; a pattern or list of files counts by what they hold, like a single file."""
        files = {name for name, _, _ in marked(self, SourceFiles)}
        fields = super().identity()
        return {name: value for name, value in fields.items() if not {name, name.rpartition(".")[0]} & files}
