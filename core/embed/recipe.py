"""What a recipe of `dr embed train` says."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt, model_validator

from core.recipe import CORPUS, ArtifactRecipe, From, Neutral, Part
from core.retrieval.spec import Bm25
from core.tracking.spec import Tracking


class Static(Part):
    """A vector for each piece of text, learnt from nothing; a text is the mean of its pieces. Needs no download."""

    type: Literal["static"] = "static"
    dimension: PositiveInt = 512
    """Length of a vector."""
    vocabulary: PositiveInt = 20_000
    """Most pieces that the tokenizer learns; a small corpus gives fewer."""


class Pairs(Part):
    """How often each kind of pair is made; a kind that a document cannot give leaves its share to the others."""

    crops: NonNegativeFloat = 1.0
    """Two random spans of the text (Contriever)."""
    sentences: NonNegativeFloat = 0.0
    """A sentence, and the text without it (inverse cloze task)."""
    titles: NonNegativeFloat = 0.0
    """The title, and the text."""
    questions: NonNegativeFloat = 1.0
    """A question of `questions`, and the document that answers it."""

    @model_validator(mode="after")
    def _some_kind(self) -> "Pairs":
        # Every document can give crops and only some the other kinds.
        if self.crops == 0:
            raise ValueError("`crops` is 0: a document without title and of one sentence gives no other pair")
        return self


class Recipe(ArtifactRecipe):
    """Train an embedding model on a corpus."""

    stage: Literal["embed"]
    """Always `embed`."""
    data: Annotated[Path, CORPUS]
    """Corpus (of `dr data`, `dr data mix` or `dr distill`) whose documents are trained on; its queries are not read."""
    questions: Annotated[Path | None, From("mine", *CORPUS.stages)] = None
    """Questions for these documents: an artifact of `dr distill mine`, or a corpus, whose split `train` is taken.
    null: the documents alone."""
    model: Static = Static()
    """The model to train."""
    pairs: Pairs = Pairs()
    """What is trained on: each document gives one pair an epoch, drawn anew."""
    epochs: NonNegativeInt = 2
    """Passes over the documents; 0 keeps the vectors of latent semantic analysis that training starts from."""
    min_steps: NonNegativeInt = 20
    """Steps to take at least, unless `epochs` is 0: further epochs are added on a small corpus."""
    batch_size: int = Field(512, ge=2)
    """Pairs a step; the other positives of a step are the negatives of a pair."""
    learning_rate: float = Field(0.002, gt=0, le=1)
    """Of Adam at its highest: it rises over the first tenth of the steps and falls to 0."""
    temperature: PositiveFloat = 0.05
    """Cosine similarities are divided by it before the softmax; smaller looks at the hardest negatives."""
    held_out: float = Field(0.05, gt=0, le=0.5)
    """Share of the documents kept back for the report, but 20 to 500 of them; no text stands on both sides."""
    bm25: Bm25 = Bm25()
    """The BM25 that the report compares with."""
    log_every: Annotated[PositiveInt, Neutral()] = 5
    """Steps between two values of the loss in the log."""
    tracking: Annotated[Tracking, Neutral()] = Tracking()
    """Who follows the training."""
