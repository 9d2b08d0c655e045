"""Rows cut out of documents: each document gives one an epoch, drawn anew."""

import random
from collections.abc import Iterator, Mapping, Sequence

from core.embed.recipe import Recipe
from core.embed.rows import exam, held_out, pairs, questions
from core.embed.rows.ids import of_text
from core.embed.rows.listed import Listed
from core.embed.rows.row import Exam, Material, Row
from core.embed.rows.spec import Documents, Shares
from core.formats import beir
from core.types import Document, Query

MAX_OTHERS = 5_000
"""Training documents among which the answers of the exam are sought."""


class Drawn:
    """A row for each document; in each epoch another one."""

    def __init__(
        self, documents: Sequence[Document], questions: Mapping[str, Sequence[str]], shares: Shares, seed: int | str
    ) -> None:
        self._documents, self._questions, self._shares, self._seed = documents, questions, shares, seed
        self._epoch = 0

    def __len__(self) -> int:
        return len(self._documents)

    def __getitem__(self, number: int) -> Row:
        document = self._documents[number]
        rng = random.Random(f"{self._seed}/pairs/{self._epoch}/{number}")  # noqa: S311 - no secret hangs on it
        return _row(pairs.draw(document, self._shares, rng, self._questions.get(document.id, ())))

    def set_epoch(self, epoch: int) -> None:
        """Draw other pairs of the same documents."""
        self._epoch = epoch

    def questions(self) -> set[str]:
        """The questions that rows are made of, beside what is cut out of the documents."""
        return {question for of_document in self._questions.values() for question in of_document}


class Contents:
    """The contents of documents, each put together when it is asked for."""

    def __init__(self, documents: Sequence[Document]) -> None:
        self._documents = documents

    def __iter__(self) -> Iterator[str]:
        return (document.contents for document in self._documents)


def read(recipe: Recipe, train: Documents) -> Material:
    """Pairs of documents; questions cut out of those held out are the exam, unless the proof has data of its own.

    Raises:
        DataError: there are fewer than 50 documents that give pairs.
        ContractError: the questions are answered by other documents.
    """
    rng = random.Random(f"{recipe.seed}/held out")  # noqa: S311 - no secret hangs on it
    parted = held_out.split(beir.read_documents(train.data), recipe.held_out, rng)
    cut_out = [pairs.question(document, rng) for document in parted.held_out]
    found = questions.read(train.questions)
    questions.check(found, parted.training, train.questions)
    asked = {document.id: found[document.id] for document in parted.training if document.id in found}
    return Material(
        training=Drawn(parted.training, asked, train.shares, recipe.seed),
        validation=_validation(parted.held_out, found, asked, recipe, train.shares),
        exam=_exam(cut_out, parted.training, recipe),
        graded=(),
        texts=Contents(parted.training),
        facts={
            "documents": parted.num_read,
            "training_documents": len(parted.training),
            "held_out_documents": len(parted.held_out),
            "questions": sum(map(len, asked.values())),
        },
    )


def _validation(
    documents: Sequence[Document],
    found: Mapping[str, Sequence[str]],
    asked: Mapping[str, Sequence[str]],
    recipe: Recipe,
    shares: Shares,
) -> Listed:
    """One pair of each held-out document, of the kinds that are trained on; no question that is trained on."""
    trained = {question for of_document in asked.values() for question in of_document}
    unseen = {d.id: [q for q in found.get(d.id, ()) if q not in trained] for d in documents}
    drawn = Drawn(documents, unseen, shares, f"{recipe.seed}/validation")
    return Listed(drawn[number] for number in range(len(drawn)))


def _exam(cut_out: Sequence[pairs.Pair], others: Sequence[Document], recipe: Recipe) -> Exam | None:
    """A question's one answer is its document without the question's words, among other answers and documents."""
    if recipe.proof.data is not None:
        return None
    queries = [Query(pair.document_id, pair.query) for pair in cut_out]
    documents = [*(Document(pair.document_id, pair.positive) for pair in cut_out), *others[:MAX_OTHERS]]
    origin = "questions cut out of documents held out from training"
    qrels = {query.id: {query.id: 1} for query in queries}
    return exam.of(queries, qrels, documents, origin, recipe.proof, recipe.seed, cut_out=True)


def _row(pair: pairs.Pair) -> Row:
    # A question may be answered by several documents: by its text, they are no negatives of each other.
    query_id = of_text(pair.query) if pair.kind == "questions" else pair.document_id
    return Row(pair.query, (pair.positive,), query_id, (pair.document_id,))
