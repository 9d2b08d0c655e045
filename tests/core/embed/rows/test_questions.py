"""Judged questions as training pairs."""

import random

import pytest

from core import artifact
from core.embed.rows import questions
from core.embed.rows.pairs import draw
from core.embed.rows.spec import Shares
from core.errors import ContractError, UsageError
from core.formats import beir, examples
from core.recipe import ArtifactRecipe
from core.types import Document, Example, Passage, Query

DOCUMENT = Document("d1", "存款保险的上限是五十万元，超过的部分从清算财产中受偿。", "存款保险")


def made(folder, stage, build):
    recipe = ArtifactRecipe(stage=stage, out=folder)
    artifact.make(recipe, lambda _, work: build(work.path))
    return folder


def judged(folder):
    beir.write_documents(folder, [DOCUMENT, Document("d2", "x")])
    beir.write_queries(folder, [Query("q1", "最多赔多少"), Query("q2", "不相干"), Query("q3", "别的问题")])
    beir.write_qrels(folder, "train", {"q1": {"d1": 1, "d2": 0}, "q3": {"d1": 2}})
    beir.write_qrels(folder, "test", {"q2": {"d2": 1}})


def test_questions_are_the_relevant_ones_of_the_training_split(tmp_path):
    assert questions.read(made(tmp_path / "data", "distill", judged)) == {"d1": ["最多赔多少", "别的问题"]}
    assert questions.read(None) == {}


def test_mined_examples_give_their_queries(tmp_path):
    rows = [Example("最多赔多少", (Passage("x", id="d1"),), (Passage("y", id="d2"),))]
    folder = made(tmp_path / "mine", "mine", lambda path: examples.write(path / "train.jsonl", rows))
    assert questions.read(folder) == {"d1": ["最多赔多少"]}


def test_a_corpus_without_training_judgements_is_refused(tmp_path):
    folder = made(tmp_path / "data", "data", lambda path: beir.write_documents(path, [DOCUMENT]))
    with pytest.raises(UsageError, match="no split `train`"):
        questions.read(folder)


def test_a_question_pairs_with_the_whole_document_as_often_as_its_weight_says():
    rng = random.Random(0)
    drawn = [draw(DOCUMENT, Shares(crops=1, questions=3), rng, ["最多赔多少"]) for _ in range(400)]
    asked = [pair for pair in drawn if pair.kind == "questions"]
    assert {(pair.query, pair.positive) for pair in asked} == {("最多赔多少", DOCUMENT.contents)}
    assert len(asked) == pytest.approx(300, abs=40)  # 3 of 4; the deviation of 400 throws is 8.7
    assert all(pair.kind == "crops" for pair in (draw(DOCUMENT, Shares(), rng) for _ in range(50)))


def test_questions_of_another_corpus_are_refused(tmp_path):
    with pytest.raises(ContractError, match="none of the questions"):
        questions.check({"other": ["x"]}, [DOCUMENT], tmp_path)
    questions.check({"other": ["x"], "d1": ["y"]}, [DOCUMENT], tmp_path)
