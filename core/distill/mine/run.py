"""`dr distill mine`: search, sift, look into the texts, draw, write; a block of queries at a time."""

import logging
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

from core import artifact, memory, progress
from core.artifact import Work
from core.distill.mine import judged
from core.distill.mine.case import Case
from core.distill.mine.judged import Judged, Survey
from core.distill.mine.recipe import Recipe, Reranker
from core.distill.mine.report import Tally
from core.errors import ContractError, GateFailed
from core.formats import beir, examples
from core.memory import Knob
from core.retrieval.index import OpenIndex, open_index
from core.types import Document, Example

if TYPE_CHECKING:
    from core.retrieval.reranker import Scorer

TRAIN = "train.jsonl"
REPORT = "report.json"

log = logging.getLogger(__name__)


def run(recipe: Recipe, work: Work) -> None:
    """Artifacts of `data` or `distill`, and of `index` -> training examples and a report.

    Raises:
        ContractError: queries, judgements and index do not meet, or the reranker is none.
        GateFailed: a query is short of negatives, and the recipe says `fail`.
        OutOfMemory: with the fields that need less.
    """
    _compare_corpora(recipe)
    index = open_index(recipe.index, task=recipe.task)
    survey = judged.survey(recipe.queries, recipe.split, lambda id_: index.store.number(id_) is not None)
    tally = Tally(recipe.seed)
    with memory.explained(_knobs(recipe)):
        examples.write(work.path / TRAIN, _examples(recipe, index, tally))
    _check_some(recipe, tally)
    report = tally.as_dict(survey)
    _tell(report, survey)
    artifact.write_json(work.path / REPORT, report)
    work.stats.update(report)


def _examples(recipe: Recipe, index: OpenIndex, tally: Tally) -> Iterator[Example]:
    scorer = _open_scorer(recipe.reranker) if recipe.reranker and recipe.hard else None
    queries = judged.read(recipe.queries, recipe.split)
    with progress.bar("mine") as bar:
        while block := list(islice(queries, recipe.batch_size)):
            cases = list(_cases(block, index, recipe, tally))
            found = [len(case.scores) for case in cases]
            if scorer and recipe.reranker:
                _rerank(cases, scorer.scores([pair for case in cases for pair in case.pairs()]), recipe.reranker)
            for case, positives_found in zip(cases, found, strict=True):
                example = case.complete()
                tally.note_example(case, positives_found=positives_found)
                _check_complete(case, recipe)
                yield example
            bar.advance(len(block))


def _cases(block: Sequence[Judged], index: OpenIndex, recipe: Recipe, tally: Tally) -> Iterator[Case]:
    """Those of a block of which the index has a positive, searched at once."""
    known = []
    for item in block:
        positives = _in_index(index, item.positives)
        tally.note_query(len(item.positives), len(positives))
        if positives:
            known.append((item, positives))
    found = index.search([item.query.text for item, _ in known], recipe.window.depth, method=recipe.method)
    for (item, positives), hits in zip(known, found, strict=True):
        yield Case(item, positives, hits, index, recipe)


def _in_index(index: OpenIndex, ids: Sequence[str]) -> list[Document]:
    numbers = (index.store.number(document_id) for document_id in ids)
    return [index.store.document(number) for number in numbers if number is not None]


def _rerank(cases: Sequence[Case], scores: Sequence[float], reranker: Reranker) -> None:
    """Hand each case its part of the scores."""
    start = 0
    for case in cases:
        end = start + len(case.positives) + len(case.hard)
        case.rerank(scores[start:end], reranker.limits)
        start = end


def _open_scorer(spec: Reranker) -> "Scorer":
    """Its packages take seconds to import, so mining without one goes without them."""
    from core.retrieval.reranker import open_scorer

    return open_scorer(spec)


def _check_complete(case: Case, recipe: Recipe) -> None:
    if recipe.on_shortage == "fail" and case.short:
        raise GateFailed(
            f"query `{case.query.id}` has {len(case.hard)} hard and {len(case.easy)} easy negatives, "
            f"{recipe.hard} and {recipe.easy} are wanted",
            where=str(recipe.queries),
            hint="widen `window`, loosen `limits`, or say `on_shortage: easy` or `fewer`",
        )


def _check_some(recipe: Recipe, tally: Tally) -> None:
    """Raises ContractError when there is no example: then queries and judgements, or those and the index, miss."""
    if not tally["queries"]:
        what = f"no query of the judgements of `{recipe.split}` is in {beir.QUERIES} (0 %)"
        raise ContractError(what, where=str(recipe.queries), hint="are these the queries that were judged?")
    if not tally["examples"]:
        what = f"of none of the {tally['queries']:,} judged queries the index has a document that answers it"
        raise ContractError(what, where=str(recipe.index), hint="was it built from the corpus that was judged?")


def _compare_corpora(recipe: Recipe) -> None:
    """Warn when queries and index come from other corpora: an id may then mean two texts."""
    queries, index = artifact.read(recipe.queries), artifact.read(recipe.index)
    corpus = queries["files"].get(beir.CORPUS)
    if corpus and corpus["sha256"] != index["stats"]["corpus"]:
        log.warning("the index was built from another corpus than the queries belong to: texts are the index's")


def _tell(report: dict[str, Any], survey: Survey) -> None:
    """Say what was done in a line, and what is missing."""
    removed = ", ".join(f"{rule} {count}" for rule, count in report["hits"]["removed"].items())
    log.info("%d hits searched; removed: %s", report["hits"]["searched"], removed or "none")
    shortage, positives = report["shortage"], report["positives"]
    if survey.outside:
        share = survey.outside / survey.positives
        log.warning("%d judged documents (%.1f %%) are not in the index", survey.outside, 100 * share)
    if unknown := positives["of_unknown_queries"]:
        share = unknown / survey.positives
        log.warning("%d judgements (%.1f %%) are of queries that are not in %s", unknown, 100 * share, beir.QUERIES)
    if shortage["queries_short_of_hard"]:
        log.warning(
            "%d of %d queries have too few hard negatives: %d are missing, %d filled with easy ones",
            shortage["queries_short_of_hard"],
            report["examples"],
            shortage["hard_missing"],
            shortage["filled_with_easy"],
        )
        if unfound := report["queries_with_a_positive_outside_the_hits"]:
            log.warning("%d queries have a positive that is no hit: under a margin it leaves none below it", unfound)
    if shortage["queries_still_short"]:
        log.warning("%d queries have fewer negatives than asked for", shortage["queries_still_short"])


def _knobs(recipe: Recipe) -> list[Knob]:
    knobs = [Knob.halved("batch_size", recipe.batch_size, "queries and hits held at a time")]
    if recipe.reranker:
        knobs.append(Knob.halved("reranker.batch_size", recipe.reranker.batch_size, "pairs scored at a time"))
    return knobs
