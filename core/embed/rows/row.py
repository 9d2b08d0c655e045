"""What a step of training is made of, whatever it was read from."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from core.types import Document, Qrels, Query


@dataclass(frozen=True, slots=True)
class Row:
    """A query and the documents it is compared with; column 0 answers it, unless `labels` say otherwise."""

    query: str
    documents: tuple[str, ...]
    query_id: str
    """Rows of one query share it: their positives are no negatives of each other."""
    document_ids: tuple[str, ...]
    """One for each document; texts that have no id of their own have one made from the text."""
    labels: tuple[float, ...] | None = None
    """One for each document: relevance 0 to 1 of a graded pair, or a teacher's score. None: column 0 answers."""
    weight: float = 1.0
    """How much the row counts; weighted_mse alone looks at it."""


class Rows(Protocol):
    """The rows of an epoch, by number; a whole epoch is in memory or is drawn from what is."""

    def __len__(self) -> int: ...

    def __getitem__(self, number: int) -> Row:
        """Row `number` of the current epoch: the same whenever it is asked for, in whatever process."""
        ...

    def set_epoch(self, epoch: int) -> None:
        """Epochs count from 0; rows that are drawn are drawn anew."""
        ...


@dataclass(frozen=True)
class Exam:
    """Judged queries over documents: what a model is asked to show what it can."""

    queries: Sequence[Query]
    qrels: Qrels
    documents: Sequence[Document]
    origin: str
    """Where the queries are from, in words for the report: "the split dev of artifacts/x"."""
    cut_out: bool = False
    """Whether queries are cut out of the documents, which is harder on BM25 than real ones are."""


@dataclass(frozen=True)
class Material:
    """All that a training reads. The same recipe gives the same, in whatever process."""

    training: Rows
    validation: Sequence[Row]
    """Held out: what val_loss is measured on. Their queries, and the documents that answer them, are in `training`
    nowhere, unless the user gave them as a file."""
    exam: Exam | None
    """Held out: what nDCG@10 is measured on. None for graded pairs, which have no corpus."""
    graded: Sequence[Row]
    """Graded pairs of the proof, a query's documents in successive rows; empty unless `train` is graded."""
    texts: Iterable[str]
    """Documents of the training, to learn a tokenizer from."""
    facts: dict[str, int]
    """Counts for the manifest."""
