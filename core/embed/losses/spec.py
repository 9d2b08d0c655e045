"""What training makes smaller. The formulas are in the modules of this package."""

from typing import Annotated, Literal, TypeAlias

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from core.recipe import From, Neutral, Part


class Loss(Part):
    """What all losses have."""

    matryoshka: tuple[PositiveInt, ...] = ()
    """Further lengths at which the vectors shall serve when cut (Kusupati et al. 2022, arXiv:2205.13147): the loss is
    the mean over them and the full length. Empty: the full length alone."""


class InfoNce(Loss):
    """Among the documents of a batch find the one that answers (van den Oord et al. 2018, arXiv:1807.03748)."""

    type: Literal["infonce"] = "infonce"
    temperature: PositiveFloat = 0.05
    """Cosine similarities are divided by it before the softmax; smaller looks at the hardest negatives."""
    in_batch: bool = True
    """Whether documents of other queries in the batch are negatives, beside a query's own."""
    symmetric: bool = False
    """Whether documents shall find their query too; the loss is the mean of both directions."""
    false_negative_margin: float | None = None
    """A negative whose similarity is above the positive's plus this does not count, for it may well answer too; 0 is
    the plain rule "above the positive", 0.1 what ms-swift does. null: all count."""
    mask_same_document: bool = True
    """Whether pieces of one document (ids `doc#n`), and all positives of one query, are never negatives of each
    other."""
    mini_batch_size: Annotated[PositiveInt | None, Neutral()] = None
    """Texts held in memory at a time: gradients are cached (Gao et al. 2021, arXiv:2101.06983), so a large batch fits,
    for a second pass forward. A static model holds little but its vectors, and is not cached; DeepSpeed cannot do it.
    null: the whole batch at once."""
    gather: bool = True
    """Whether, with several processes, the documents of all of them are negatives."""

    @model_validator(mode="after")
    def _documents_look_among_queries(self) -> "InfoNce":
        if self.symmetric and not self.in_batch:
            raise ValueError("`symmetric` looks for the query among those of the batch: it needs `in_batch`")
        return self


class WeightedMse(Loss):
    """weight × (cosine − label)², summed over graded pairs and divided by their number."""

    type: Literal["weighted_mse"]


class Teacher(Part):
    """A cross-encoder that scores the training pairs once, before the first step."""

    model: Annotated[str, From(or_name=True)]
    """Folder of a sentence-transformers CrossEncoder with one label, or its name on the hub."""
    batch_size: Annotated[PositiveInt, Neutral()] = 32
    """Pairs scored at a time."""
    max_tokens: PositiveInt | None = None
    """Tokens of a pair that are read. null: as the model says."""
    trust_remote_code: bool = False
    """Whether code that comes with the model may run."""


class Distilled(Loss):
    """What losses that follow a teacher have."""

    teacher: Teacher | None = None
    """Who scores. null: the scores that stand in the examples (`score` of a passage)."""


class MarginMse(Distilled):
    """The student's margin between positive and negative follows the teacher's (Hofstaetter et al. 2020,
    arXiv:2010.02666)."""

    type: Literal["margin_mse"]
    scale: PositiveFloat = 1.0
    """A teacher's score is divided by it: cosine margins reach 2 at most, logits of a cross-encoder more than 10."""


class Kl(Distilled):
    """The student's distribution over a query's documents follows the teacher's (Kullback-Leibler divergence)."""

    type: Literal["kl"]
    temperature: PositiveFloat = 0.05
    """The student's cosine similarities are divided by it before the softmax."""
    teacher_temperature: PositiveFloat = 1.0
    """The teacher's scores are divided by it before the softmax."""


AnyLoss: TypeAlias = Annotated[InfoNce | WeightedMse | MarginMse | Kl, Field(discriminator="type")]
