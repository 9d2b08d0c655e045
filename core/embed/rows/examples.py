"""Rows of training examples: a query, a document that answers it, and negatives."""

import logging
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from core import progress
from core.embed.losses.spec import Distilled
from core.embed.models.spec import Pretrained
from core.embed.recipe import Recipe
from core.embed.rows import check, exam, judgement, sides
from core.embed.rows.ids import of_text
from core.embed.rows.judged import facts
from core.embed.rows.judgement import Answer, Judgement, Texts
from core.embed.rows.listed import Listed, texts
from core.embed.rows.row import Exam, Material, Row
from core.errors import DataError, UsageError
from core.formats import examples
from core.formats.rows import objects
from core.types import Document, Example, Passage

log = logging.getLogger(__name__)


def read(recipe: Recipe, path: Path, negatives: int) -> Material:
    """A row for each positive of an example, with its first `negatives` negatives.

    Scores are labels where the loss follows a teacher and the recipe names none. The documents of the exam are all
    passages of the file.

    Raises:
        UsageError: there is no such file, or the loss needs negatives and none are taken.
        DataError: a bad row, a score that is missing where the loss follows scores, or too few queries.
    """
    distilled = isinstance(recipe.loss, Distilled)
    if distilled and not negatives:
        what = f"`train.negatives` is 0, and the loss {recipe.loss.type} follows a teacher over negatives"
        raise UsageError(what, hint="take train.negatives=3")
    scored = isinstance(recipe.loss, Distilled) and recipe.loss.teacher is None
    if scored and recipe.train.type == "mined":
        log.warning(
            "the scores in %s are taken for a teacher's: a reranker must have given them (`reranker` of `dr distill "
            "mine`), for those of an index are no relevance",
            path,
        )
    found = judgement.same_queries(_read(path, recipe.model, scored_negatives=negatives if scored else None))
    documents = judgement.documents(found)
    parted = sides.part(found, recipe.held_out, recipe.seed, str(path), most_others=negatives)
    training, validation = (
        Listed(_rows(side, scored=scored, alone=not distilled)) for side in (parted.training, parted.held_out)
    )
    _tell_lost(parted.training, training, path)
    check.rows(training, str(path))
    return Material(
        training=training,
        validation=validation,
        exam=None if recipe.proof.data else _exam(parted.held_out, documents, recipe, path),
        graded=(),
        texts=texts(training),
        facts=facts(parted, training, len(documents)),
    )


def _read(path: Path, model: object, *, scored_negatives: int | None) -> Iterator[Judgement]:
    known, instructions = Texts(), set[str]()
    answering = 0
    for row in progress.track(objects(path), "embed: read the examples"):
        example = examples.example(row)
        instructions.add(example.instruction)
        negatives = example.negatives
        if scored_negatives is not None:
            negatives = _scored(example, scored_negatives, row.where)
        answers = tuple(known.answer(p.contents, p.id, p.score) for p in example.positives)
        others = _unlike((known.answer(p.contents, p.id, p.score) for p in negatives), answers)
        answering += len(negatives) - len(others)
        yield Judgement(example.query, example.query_id or of_text(example.query), answers, others, row.where)
    if answering:
        log.warning("%s: %d negatives have the text of a positive of their query and are left out", path, answering)
    _tell_instructions(instructions - {""}, model, path)


def _rows(judgements: Iterable[Judgement], *, scored: bool, alone: bool) -> Iterator[Row]:
    """alone: a row may be without negatives."""
    for j in judgements:
        if not j.others and not alone:
            continue
        for answer in j.answers:
            columns = (answer, *j.others)
            labels = tuple(column.label for column in columns if column.label is not None) if scored else None
            yield Row(j.query, tuple(c.text for c in columns), j.query_id, tuple(c.id for c in columns), labels)


def _scored(example: Example, negatives: int, where: str) -> tuple[Passage, ...]:
    """The negatives that can be columns: the first ones, and further ones that have a score.

    Raises:
        DataError: a positive, or one of the first `negatives`, has none.
    """
    first, further = example.negatives[:negatives], example.negatives[negatives:]
    for name, passages in (("positives", example.positives), ("negatives", first)):
        for place, passage in enumerate(passages):
            if passage.score is None:
                fewer = f", or train.negatives={place}" if name == "negatives" and place else ""
                raise DataError(
                    f"`{name}[{place}]` has no `score`, and the loss follows the scores of a teacher",
                    where=where,
                    hint=f"let a cross-encoder score the rows: loss.teacher.model=…{fewer}",
                )
    return (*first, *(passage for passage in further if passage.score is not None))


def _unlike(negatives: Iterable[Answer], answers: Iterable[Answer]) -> tuple[Answer, ...]:
    """Negatives whose text is no answer's."""
    answering = {answer.key for answer in answers}
    return tuple(negative for negative in negatives if negative.key not in answering)


def _tell_lost(judgements: Sequence[Judgement], training: Listed, path: Path) -> None:
    """Warn where rows are lost; the loss needs negatives then."""
    if lost := sum(len(j.answers) for j in judgements) - len(training):
        log.warning("%s: %d rows are without negatives, which the loss needs, and are not trained on", path, lost)


def _tell_instructions(instructions: set[str], model: object, path: Path) -> None:
    """Warn where the file has tasks that the model will not see.

    A prompt belongs to the model: index and server put before a query what the model says, never what a file said.
    """
    prompt = (model.query_prompt or "") if isinstance(model, Pretrained) else ""
    others = sorted(text for text in instructions if text.strip() not in prompt)
    if others:
        log.warning(
            "%s: the `instruction` of its examples (%d different, such as %r) is not put before queries; what is, the "
            "model says: model.query_prompt",
            path,
            len(others),
            others[0],
        )


def _exam(held_out: Sequence[Judgement], documents: Sequence[Document], recipe: Recipe, path: Path) -> Exam:
    qrels: dict[str, dict[str, int]] = {}
    for j in held_out:
        qrels.setdefault(j.query_id, {}).update({answer.id: 1 for answer in j.answers})
    origin = f"queries held out from {path}, over all of its passages"
    return exam.of(judgement.queries(held_out), qrels, documents, origin, recipe.proof, recipe.seed)
