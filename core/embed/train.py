"""`dr embed train`: from a corpus to a model and a report of what it learnt."""

import errno
import json
import logging
import random
import re
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import torch
from safetensors import SafetensorError
from sentence_transformers import SentenceTransformer

from core import memory
from core.artifact import Work, write_json
from core.embed import contrastive, held_out, pairs, questions, report, static
from core.embed.recipe import Recipe
from core.formats import beir
from core.memory import Knob
from core.tracking import open_tracker
from core.types import Document

MODEL = "model"
HELD_OUT = "held_out.jsonl"
REPORT = "report.json"

log = logging.getLogger(__name__)


def run(recipe: Recipe, work: Work) -> None:
    """Artifact of `data` -> model.

    Raises:
        DataError: the corpus is too small to make pairs.
        DrError: the loss is no number any more.
        OutOfMemory: with the fields that need less.
    """
    rng = random.Random(f"{recipe.seed}/held out")  # noqa: S311 - no secret hangs on it
    documents = held_out.split(beir.read_documents(recipe.data), recipe.held_out, rng)
    cut_out = [pairs.question(document, rng) for document in documents.held_out]
    _write(work.path / HELD_OUT, cut_out)
    answered = questions.read(recipe.questions)
    questions.check(answered, documents.training, recipe.questions)
    model, steps = _learn(recipe, documents.training, answered, work.logs)
    _save(model, work.path / MODEL)
    learnt = report.measure(work.path / MODEL, recipe.bm25, cut_out, documents.training, recipe.seed)
    write_json(work.path / REPORT, learnt)
    log.info(learnt["verdict"])
    work.stats |= {
        "documents": documents.num_read,
        "training_documents": len(documents.training),
        "held_out_documents": len(documents.held_out),
        "questions": sum(len(answered.get(document.id, ())) for document in documents.training),
        "vocabulary": len(model.tokenizer.get_vocab()),
        "steps": steps,
        "ndcg@10": learnt["ndcg@10"],
    }


def _learn(
    recipe: Recipe, documents: Sequence[Document], answered: contrastive.Questions, logs: Path
) -> tuple[SentenceTransformer, int]:
    """The trained model, and the steps it took."""
    torch.manual_seed(recipe.seed)
    with (
        memory.explained(_knobs(recipe)),
        open_tracker(recipe.tracking, logs, recipe.model_dump(mode="json")) as tracker,
    ):
        model = static.build(recipe.model, documents)
        return model, contrastive.train(model, documents, answered, recipe, tracker)


def _save(model: SentenceTransformer, path: Path) -> None:
    try:
        model.save(str(path), create_model_card=False)
    except SafetensorError as error:
        # The library wraps what the system said: "… (os error 28)".
        number = re.search(r"os error (\d+)", str(error))
        raise OSError(int(number[1]) if number else errno.EIO, str(error), str(path)) from None


def _write(path: Path, cut_out: Sequence[pairs.Pair]) -> None:
    lines = (json.dumps(asdict(pair), ensure_ascii=False) + "\n" for pair in cut_out)
    path.write_text("".join(lines), encoding="utf-8")


def _knobs(recipe: Recipe) -> list[Knob]:
    return [
        Knob.halved("batch_size", recipe.batch_size, "texts held at a time", least=32),
        Knob.halved("model.dimension", recipe.model.dimension, "size of all vectors", least=64),
        Knob.halved("model.vocabulary", recipe.model.vocabulary, "number of vectors", least=2_000),
    ]
