"""Rows of judged queries of a corpus: a query and a document that answers it."""

import logging
from collections.abc import Iterable, Iterator

from core.embed.recipe import Recipe
from core.embed.rows import check, corpus, exam, judgement, sides
from core.embed.rows.corpus import MAX_DOCUMENTS, Corpus
from core.embed.rows.judgement import Judgement, Texts, labelled
from core.embed.rows.listed import Listed, texts
from core.embed.rows.row import Exam, Material, Row
from core.embed.rows.sides import Sides
from core.embed.rows.spec import Judged
from core.errors import ContractError
from core.formats import beir

log = logging.getLogger(__name__)


def read(recipe: Recipe, train: Judged) -> Material:
    """A row for each document that answers a query; for weighted_mse one for each judgement, grade 0 too, with a label.

    A label is grade / highest grade of the split; grades below 0 count as 0. For infonce, documents of grade 0 are
    left out, as the recipe's words are.

    Raises:
        UsageError: there is no such split.
        ContractError: no query, or none of the documents that answer them, is in the corpus.
        DataError: too few queries, or labels that teach nothing.
    """
    graded = recipe.loss.type == "weighted_mse"
    where = str(train.data / beir.QRELS / f"{train.split}.tsv")
    found = corpus.read(train.data, train.split, recipe.seed, 0 if recipe.proof.data else MAX_DOCUMENTS)
    parted = sides.part(_judgements(found, where, with_others=graded), recipe.held_out, recipe.seed, where)
    rows = labelled if graded else _answers
    training, validation = Listed(rows(parted.training)), Listed(rows(parted.held_out))
    check.rows(training, where)
    return Material(
        training=training,
        validation=validation,
        exam=None if recipe.proof.data else _exam(found, parted, recipe, train),
        graded=(),
        texts=texts(training),
        facts=facts(parted, training, found.num_read),
    )


def facts(parted: Sides, training: Listed, num_documents: int) -> dict[str, int]:
    """Counts for the manifest."""
    return {
        "documents": num_documents,
        "training_documents": len({document for row in training for document in row.document_ids}),
        "held_out_documents": len({document.id for j in parted.held_out for document in j.all()}),
        "rows": len(training),
        "queries": len({j.query_id for j in parted.training}),
        "held_out_queries": len({j.query_id for j in parted.held_out}),
    }


def _judgements(found: Corpus, where: str, *, with_others: bool) -> list[Judgement]:
    highest = _highest(found)
    if highest <= 0:
        raise ContractError("no judgement has a grade above 0: no document answers a query", where=where)
    if not found.queries:
        what = f"none of the {len(found.qrels):,} judged queries is in {beir.QUERIES}"
        raise ContractError(what, where=where, hint="are these the queries that were judged?")
    known, judgements = Texts(), list[Judgement]()
    for query in found.queries:
        judged = found.qrels[query.id]
        there = [
            (grade, known.answer(found.judged[id_].contents, id_, max(0, grade) / highest))
            for id_, grade in judged.items()
            if id_ in found.judged
        ]
        answers = tuple(answer for grade, answer in there if grade > 0)
        others = tuple(answer for grade, answer in there if grade <= 0) if with_others else ()
        if answers or others:
            judgements.append(Judgement(query.text, query.id, answers, others, where))
    _tell_missing(found, judgements, where)
    return judgement.same_queries(judgements)


def _highest(found: Corpus) -> int:
    return max((grade for judged in found.qrels.values() for grade in judged.values()), default=0)


def _tell_missing(found: Corpus, judgements: list[Judgement], where: str) -> None:
    answers = {d for judged in found.qrels.values() for d, grade in judged.items() if grade > 0}
    missing = sorted(answers - found.judged.keys())
    if len(missing) == len(answers) or not any(j.answers for j in judgements):
        raise ContractError(
            f"none of the {len(answers):,} documents that answer a query is in the corpus, or none of the queries",
            where=where,
            hint=f"missing: {', '.join(missing[:3]) or 'queries'}. Do corpus and judgements belong together?",
        )
    if missing:
        log.warning("%s: %d of %d documents that answer are not in the corpus", where, len(missing), len(answers))
    if unknown := len(found.qrels) - len(found.queries):
        log.warning("%s: %d of %d judged queries are not in %s", where, unknown, len(found.qrels), beir.QUERIES)


def _answers(judgements: Iterable[Judgement]) -> Iterator[Row]:
    for j in judgements:
        for answer in j.answers:
            yield Row(j.query, (answer.text,), j.query_id, (answer.id,))


def _exam(found: Corpus, parted: Sides, recipe: Recipe, train: Judged) -> Exam:
    asked = [j for j in parted.held_out if j.answers]
    origin = f"queries held out from the split {train.split} of {train.data}{found.sampled}"
    highest = _highest(found)
    qrels: dict[str, dict[str, int]] = {}
    for j in asked:
        qrels.setdefault(j.query_id, {}).update(
            {answer.id: round((answer.label or 0) * highest) for answer in j.answers}
        )
    return exam.of(judgement.queries(asked), qrels, found.documents, origin, recipe.proof, recipe.seed)
