"""Rows of graded pairs: a query, a document, how relevant it is and how much the pair counts."""

import logging
from collections.abc import Iterable, Sequence
from itertools import groupby
from pathlib import Path

from core import progress
from core.embed.recipe import Recipe
from core.embed.rows import check, judgement, sides
from core.embed.rows.ids import of_text
from core.embed.rows.judgement import Judgement, Texts, labelled
from core.embed.rows.listed import Listed, texts
from core.embed.rows.row import Material, Row
from core.embed.rows.spec import Graded
from core.formats import triples
from core.formats.records import records
from core.formats.rows import BadRow
from core.text.near import exact
from core.types import Pair

log = logging.getLogger(__name__)


def read(recipe: Recipe, train: Graded) -> Material:
    """A row for each pair; validation from its file, or held out by query with all that shares a document.

    Only pairs of `rel` above 0 bind queries together; of those with 0, what stands on both sides is left out of one.

    Raises:
        UsageError: a file is absent.
        DataError: a bad row, labels or weights that teach nothing, or too few queries to hold any out.
    """
    where = str(train.train)
    pairs = _read(train.train)
    judgements = _judgements(pairs)
    training = Listed(labelled(judgements))
    check.rows(training, where)
    if train.validation is None:
        parted = sides.part(judgements, recipe.held_out, recipe.seed, where)
        training, validation = Listed(labelled(parted.training)), Listed(labelled(parted.held_out))
        check.rows(training, where)
    else:
        validation = _given(train.validation, pairs, train.train)
    graded = _given(train.test, pairs, train.train) if train.test else validation
    return Material(
        training=training,
        validation=validation,
        exam=None,
        graded=_ranked(graded, train.test or train.validation or train.train),
        texts=texts(training),
        facts={
            "rows": len(training),
            "queries": len({row.query_id for row in training}),
            "documents": len({document for row in training for document in row.document_ids}),
            "validation_rows": len(validation),
            "held_out_queries": len({row.query_id for row in validation}),
            "graded_rows": len(graded),
        },
    )


def _read(path: Path) -> list[Pair]:
    """The pairs of a file, which give all a weight or none.

    Raises:
        BadRow: the first bad one, with its place.
    """
    pairs: list[Pair] = []
    weighted: bool | None = None
    for row in progress.track(records(path), f"embed: read {path.name}"):
        pairs.append(triples.pair(row))
        if weighted is None:
            weighted = "weight" in row.fields
        elif weighted != ("weight" in row.fields):
            state = "has none, and the rows before have one" if weighted else "has one, and the rows before have none"
            hint = "give every row a `weight`, 1 where it shall count fully; or none, then all count 1"
            raise BadRow(
                "wrong columns", f"missing weights: the row {state}", where=row.where, row=row.fields, hint=hint
            )
    return pairs


def _given(path: Path, trained: Sequence[Pair], training: Path) -> Listed:
    """The pairs of the user's own file, with a warning where training has them too."""
    pairs = _read(path)
    queries, answers = {exact(p.query) for p in trained}, {exact(p.document) for p in trained if p.label > 0}
    asked, answering = {exact(p.query) for p in pairs}, {exact(p.document) for p in pairs if p.label > 0}
    if shared := asked & queries:
        log.warning(
            "%s: %d of its %d queries and %d of its %d documents that answer are in %s too: what is measured on them "
            "is no proof",
            path,
            len(shared),
            len(asked),
            len(answering & answers),
            len(answering),
            training,
        )
    return Listed(labelled(_judgements(pairs)))


def _judgements(pairs: Iterable[Pair]) -> list[Judgement]:
    """The pairs of each query; queries in the order in which they come, those of one text in succession."""
    known, of_query = Texts(), dict[str, list[Pair]]()
    for pair in pairs:
        of_query.setdefault(pair.query, []).append(pair)
    found = judgement.same_queries(
        Judgement(
            query,
            of_text(query),
            tuple(known.answer(p.document, label=p.label, weight=p.weight) for p in its if p.label > 0),
            tuple(known.answer(p.document, label=p.label, weight=p.weight) for p in its if p.label == 0),
        )
        for query, its in of_query.items()
    )
    place: dict[str, int] = {}
    for one in found:
        place.setdefault(one.query_id, len(place))
    return sorted(found, key=lambda one: place[one.query_id])


def _ranked(rows: Sequence[Row], path: Path) -> Sequence[Row]:
    """The rows, with a warning when no query has two documents of different labels."""
    of_query = groupby(rows, key=lambda row: row.query_id)
    if all(len({row.labels for row in its}) < 2 for _, its in of_query):
        log.warning("%s: no query has two documents of different `rel`: there is nothing to rank", path)
    return rows
