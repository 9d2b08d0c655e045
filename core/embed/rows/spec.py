"""What a model is trained on."""

from pathlib import Path
from typing import Annotated, Literal, TypeAlias

from pydantic import Field, NonNegativeFloat, NonNegativeInt, model_validator

from core.recipe import CORPUS, From, Part, SourceFiles


class Shares(Part):
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
    def _some_kind(self) -> "Shares":
        # Every document can give crops and only some the other kinds.
        if self.crops == 0:
            raise ValueError("`crops` is 0: a document without title and of one sentence gives no other pair")
        return self


class Documents(Part):
    """Pairs cut out of documents: each document gives one pair an epoch, drawn anew."""

    type: Literal["documents"]
    data: Annotated[Path, CORPUS]
    """Corpus (of `dr data`, `dr data mix` or `dr distill`) whose documents are trained on; its queries are not read."""
    questions: Annotated[Path | None, From("mine", *CORPUS.stages)] = None
    """Questions for these documents: an artifact of `dr distill mine`, or a corpus, whose split `train` is taken.
    null: the documents alone."""
    shares: Shares = Shares()
    """Which pairs are made."""


class Judged(Part):
    """Judged queries of a corpus, each with a document that answers it; other documents are negatives in the batch."""

    type: Literal["judged"]
    data: Annotated[Path, CORPUS]
    """Corpus with queries and judgements. weighted_mse trains on all, with the label grade / highest grade; infonce on
    those with a grade above 0."""
    split: str = "train"
    """Which judgements: the name of a file in its `qrels/`."""


class Mined(Part):
    """Queries with positives and negatives, as `dr distill mine` finds them."""

    type: Literal["mined"]
    data: Annotated[Path, From("mine")]
    """Artifact of `dr distill mine`; its `train.jsonl` is read."""
    negatives: NonNegativeInt = 3
    """Negatives of an example that are taken, the first ones. An example with fewer has fewer."""


class Examples(Part):
    """A file of the user's own with queries, positives and negatives (`dr data convert` makes it of other formats)."""

    type: Literal["examples"]
    path: Annotated[Path, SourceFiles()]
    """JSON lines `{"query", "positives": [{"text"}], "negatives": [{"text"}]}`; see README, formats."""
    negatives: NonNegativeInt = 3
    """Negatives of an example that are taken, the first ones. An example with fewer has fewer."""


class Graded(Part):
    """Graded pairs, `{"query", "document", "rel": 0 to 1, "weight"}` as lines or one array; `weight` stands in all rows
    of a file or in none, and then each counts 1."""

    type: Literal["graded"]
    train: Annotated[Path, SourceFiles()]
    """Pairs to train on."""
    validation: Annotated[Path | None, SourceFiles()] = None
    """Pairs that val_loss and the choice of a checkpoint are measured on. null: a share (`held_out`) of the training
    queries."""
    test: Annotated[Path | None, SourceFiles()] = None
    """Pairs that the proof at the end is made on. null: those of `validation`."""


Rows: TypeAlias = Annotated[Documents | Judged | Mined | Examples | Graded, Field(discriminator="type")]
