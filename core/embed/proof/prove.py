"""The report of a training: what the model finds on what was held out, beside its base and BM25."""

import logging
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from core import measure
from core.embed.proof import graded, words
from core.embed.proof.through_index import answers
from core.embed.proof.vectors import alarms, dense
from core.embed.recipe import Recipe
from core.embed.rows.row import Exam, Material, Row
from core.embed.rows.spec import Graded
from core.retrieval.encoder import open_encoder
from core.significance import Comparison, compare, together

K = 10
SCORES = {
    f"ndcg@{K}": measure.ndcg,
    f"recall@{K}": measure.recall,
    f"hit@{K}": measure.hit,
    f"mrr@{K}": measure.reciprocal_rank,
}
"""What is computed of the first ten hits; the first is what systems are compared by."""
DECISIVE = f"ndcg@{K}"

log = logging.getLogger(__name__)


def prove(recipe: Recipe, base: Path | None, trained: Path, material: Material) -> dict[str, Any]:
    """Scores, paired comparisons, `gate` (passed, failed; none without a base or a comparison) and a verdict in words.

    A JSON object. `base` is the model before training, None for one from nothing. Systems: `bm25`, `dense` and `hybrid`
    of the trained model, `base_dense` and `base_hybrid` of its base; of graded pairs, which have no corpus, the two
    dense ones alone.

    Raises:
        ContractError: a model gives NaN.
        Missing: a model cannot be loaded.
    """
    if material.exam is not None:
        report = _of_exam(recipe, base, trained, material.exam)
        if material.graded:
            report["graded"] = _of_pairs(recipe, base, trained, material.graded)
    else:
        report = _of_pairs(recipe, base, trained, material.graded)
    for alarm in report["alarms"]:
        log.warning("%s", alarm)
    return report


def facts(report: Mapping[str, Any]) -> dict[str, Any]:
    """What a manifest tells of a report."""
    names = (DECISIVE, "gate", "verdict", "alarms")
    return {name: report[name] for name in names if name in report}


def _of_exam(recipe: Recipe, base: Path | None, trained: Path, exam: Exam) -> dict[str, Any]:
    models = {"": dense(trained, recipe.model)} | ({"base_": dense(base, recipe.model)} if base else {})
    with tempfile.TemporaryDirectory(prefix="dr-embed-") as folder:
        found = answers(exam, recipe.proof.bm25, models, K, Path(folder))
    grades = [exam.qrels.get(query.id, {}) for query in exam.queries]
    scores = {
        name: {
            system: [of(ranking, judged, K) for ranking, judged in zip(ranked, grades, strict=True)]
            for system, ranked in found.rankings.items()
        }
        for name, of in SCORES.items()
    }
    against_base, against_bm25 = _comparisons(scores[DECISIVE], recipe.seed)
    warned = alarms(found.seen[""], found.seen.get("base_"))
    return {
        "queries": len(exam.queries),
        "documents": len(exam.documents),
        "origin": exam.origin,
        **{name: {system: sum(values) / len(values) for system, values in of.items()} for name, of in scores.items()},
        "against_base": {method: comparison.as_dict() for method, comparison in against_base.items()},
        "against_bm25": {method: comparison.as_dict() for method, comparison in against_bm25.items()},
        "alarms": warned,
        "gate": _gate(against_base.get("dense")),
        "verdict": words.of_exam(exam, against_base, against_bm25, warned, chosen=_chosen_by_exam(recipe)),
    }


def _chosen_by_exam(recipe: Recipe) -> bool:
    """Whether the checkpoint was chosen by queries of the exam: those that are held out serve for both."""
    by_exam = recipe.proof.data is None or recipe.checkpoints.select_by == DECISIVE
    return by_exam and recipe.epochs > 0


def _chosen_by_pairs(recipe: Recipe) -> bool:
    """The same of graded pairs: those of the validation serve for both where there is no test."""
    return isinstance(recipe.train, Graded) and recipe.train.test is None and recipe.epochs > 0


def _comparisons(gains: Mapping[str, list[float]], seed: int) -> tuple[dict[str, Comparison], dict[str, Comparison]]:
    """Against the base, which is empty where there is none, and against BM25.

    The gate asks one question, set beforehand, so its p-value stands as it is; the others are read side by side.
    """
    others = {f"bm25 {method}": compare(gains["bm25"], gains[method], seed=seed) for method in ("dense", "hybrid")}
    if "base_dense" not in gains:
        others = together(others)
        return {}, {method: others[f"bm25 {method}"] for method in ("dense", "hybrid")}
    others = together({"base": compare(gains["base_hybrid"], gains["hybrid"], seed=seed), **others})
    against_base = {"dense": compare(gains["base_dense"], gains["dense"], seed=seed), "hybrid": others["base"]}
    return against_base, {method: others[f"bm25 {method}"] for method in ("dense", "hybrid")}


def _of_pairs(recipe: Recipe, base: Path | None, trained: Path, rows: Sequence[Row]) -> dict[str, Any]:
    prepared = graded.Prepared(rows)
    places = {"dense": trained} | ({"base_dense": base} if base else {})
    scores = {system: prepared.scores(open_encoder(dense(path, recipe.model))) for system, path in places.items()}
    by_query = {system: list(of.by_query.get(DECISIVE, {}).values()) for system, of in scores.items()}
    against = {}
    if base and len(prepared):
        against["dense"] = compare(by_query["base_dense"], by_query["dense"], seed=recipe.seed)
    warned = alarms(scores["dense"].seen, scores["base_dense"].seen if base else None)
    return {
        "queries": len(prepared),
        "silent_queries": prepared.silent,
        **{name: {system: of.means[name] for system, of in scores.items()} for name in scores["dense"].means},
        "against_base": {method: comparison.as_dict() for method, comparison in against.items()},
        "alarms": warned,
        "gate": _gate(against.get("dense")),
        "verdict": words.of_pairs(
            prepared, scores["dense"].means, against.get("dense"), warned, chosen=_chosen_by_pairs(recipe)
        ),
    }


def _gate(against_base: Comparison | None) -> str:
    if against_base is None:
        return "none"
    return "failed" if against_base.verdict == "worse" else "passed"
