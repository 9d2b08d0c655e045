"""`dr embed train`: rows in, a model and the proof that it helped out."""

import json
import logging
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer
from transformers.utils.logging import disable_progress_bar

from core.artifact import Work, write_json
from core.embed.fit import knobs, launch
from core.embed.fit import run as fitting
from core.embed.fit.checkpoints import TRAINER_STATE, choose, slim
from core.embed.models import build, saved
from core.embed.models.spec import Static
from core.embed.proof import gate as proof_gate
from core.embed.proof.gate import REPORT
from core.embed.proof.prove import facts, prove
from core.embed.recipe import Recipe
from core.embed.rows.read import read
from core.embed.rows.row import Material
from core.retrieval.checkpoints import CHECKPOINTS, MEASURED, MODEL, Checkpoint, found

HELD_OUT = "held_out.jsonl"
BASE = "base"
"""The model before training, while it is held against the trained one."""

log = logging.getLogger(__name__)


def run(recipe: Recipe, work: Work) -> None:
    """What `recipe` trains on -> model, its checkpoints, and the report of what it learnt.

    A killed run goes on from its newest checkpoint; one that was killed in its proof does not train again.

    Raises:
        DataError: the rows are too few, or unusable.
        DrError: the loss is no number any more.
        OutOfMemory: with the fields that need less.
    """
    disable_progress_bar()  # type: ignore[no-untyped-call]  # of loading and writing files; ours is of the steps
    build.check(recipe.model)
    material = read(recipe)
    launch.train(recipe, material, work.path)
    over = fitting.finished(work.path)
    assert over is not None  # noqa: S101 - a training that does not come to its end raises
    for warning in over["warnings"]:
        log.warning("%s", warning)
    checkpoints = found(work.path / CHECKPOINTS)
    chosen = choose(checkpoints, recipe.checkpoints.select_by)
    _copy_model(chosen, work.path / MODEL)
    _write_held_out(material, work.path / HELD_OUT)
    with knobs.explained(recipe):
        report = _prove(recipe, work.path, material)
    write_json(work.path / REPORT, report)
    log.info("%s", report["verdict"])
    for checkpoint in checkpoints:
        slim(checkpoint)
    work.stats |= material.facts | facts(report)
    work.stats |= {"steps": over["steps"], "best_step": chosen.step, **_vocabulary(recipe, work.path / MODEL)}


def gate(recipe: Recipe) -> None:
    """Raises GateFailed when the finished artifact's model is significantly worse than its base."""
    proof_gate.gate(recipe)


def _prove(recipe: Recipe, folder: Path, material: Material) -> dict[str, Any]:
    """The report; the model before training is beside the trained one for as long as that takes."""
    place = folder / BASE
    shutil.rmtree(place, ignore_errors=True)  # a killed run's
    try:
        base = build.base(recipe.model, "cpu")
        if base is not None:
            saved.save(base, place)
        untrained = None if base is None else place
        del base
        return prove(recipe, untrained, folder / MODEL, material)
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _copy_model(checkpoint: Checkpoint, place: Path) -> None:
    """The checkpoint's model without what belongs to the training."""
    shutil.rmtree(place, ignore_errors=True)  # a killed run's half copy
    shutil.copytree(checkpoint.path, place, ignore=shutil.ignore_patterns(MEASURED, *TRAINER_STATE))


def _write_held_out(material: Material, path: Path) -> None:
    lines = (json.dumps(line, ensure_ascii=False) + "\n" for line in _held_out(material))
    path.write_text("".join(lines), encoding="utf-8")


def _held_out(material: Material) -> Iterator[dict[str, Any]]:
    """What the proof asks: queries and who answers them, or graded pairs."""
    if material.exam is not None:
        for query in material.exam.queries:
            yield {"query_id": query.id, "query": query.text, "documents": dict(material.exam.qrels[query.id])}
    for row in material.graded:
        for document, rel in zip(row.documents, row.labels or (), strict=True):
            yield {"query": row.query, "document": document, "rel": rel, "weight": row.weight}


def _vocabulary(recipe: Recipe, model: Path) -> dict[str, int]:
    """How many pieces a static model has learnt."""
    if not isinstance(recipe.model, Static):
        return {}
    (tokenizer,) = model.rglob("tokenizer.json")
    return {"vocabulary": Tokenizer.from_file(str(tokenizer)).get_vocab_size()}
