"""Rows cut out of documents."""

import logging

import pytest

from core import artifact
from core.embed.rows.read import read
from core.errors import ContractError
from core.formats import beir
from core.recipe import ArtifactRecipe
from core.types import Document, Query


@pytest.fixture
def folder(tmp_path):
    """120 documents; five questions, one of which two documents answer, held out or not."""
    documents = [Document(f"d{n}", f"this is a text of eight words and {n}. More of it.", f"t{n}") for n in range(120)]
    recipe = ArtifactRecipe(stage="data", out=tmp_path / "data")

    def fill(_, work):
        beir.write_documents(work.path, documents)
        beir.write_queries(work.path, [Query(f"q{n}", f"what about {n}") for n in range(40)])
        beir.write_qrels(work.path, "train", {f"q{n}": {f"d{n}": 1, f"d{n + 40}": 1, "d119": 0} for n in range(40)})
        beir.write_qrels(work.path, "dev", {f"q{n}": {f"d{n}": 1} for n in range(40)})

    artifact.make(recipe, fill)
    return tmp_path / "data"


def every(rows):
    return [rows[number] for number in range(len(rows))]


def test_each_document_gives_a_row_an_epoch_drawn_anew(recipe, folder):
    material = read(recipe({"type": "documents", "data": folder}))
    first = every(material.training)
    assert len({row.document_ids for row in first}) == len(first) == 100
    material.training.set_epoch(1)
    second = every(material.training)
    assert [row.document_ids for row in first] == [row.document_ids for row in second]
    assert sum(one != other for one, other in zip(first, second, strict=True)) > 90
    material.training.set_epoch(0)
    assert every(material.training) == first


def test_any_process_draws_any_row_at_any_time(recipe, folder):
    made = recipe({"type": "documents", "data": folder, "questions": folder})
    whole, other = read(made), read(made)
    other.training.set_epoch(3)
    alone = other.training[77]
    whole.training.set_epoch(3)
    assert every(whole.training)[77] == alone
    assert (whole.validation, whole.exam, whole.facts) == (other.validation, other.exam, other.facts)
    assert read(made.model_copy(update={"seed": 1})).validation != whole.validation


def test_what_is_held_out_is_nowhere_in_training(recipe, folder):
    material = read(recipe({"type": "documents", "data": folder, "questions": folder}))
    held_out = {row.document_ids[0] for row in material.validation}
    assert len(held_out) == 20
    trained = [row for epoch in range(30) for row in (material.training.set_epoch(epoch) or every(material.training))]
    assert not held_out & {row.document_ids[0] for row in trained}
    questions = {row.query for row in trained if row.query.startswith("what about")}
    assert questions
    assert not questions & {row.query for row in material.validation}
    assert list(material.texts) == list(material.texts)  # it can be read twice
    assert not {f"d{text.split()[0][1:]}" for text in material.texts} & held_out
    assert material.facts == {
        "documents": 120,
        "training_documents": 100,
        "held_out_documents": 20,
        "questions": sum(1 for number in range(80) if f"d{number}" not in held_out),
    }


def test_documents_that_answer_one_question_share_its_id(recipe, folder):
    shares = {"crops": 0.01, "questions": 1}
    rows = every(read(recipe({"type": "documents", "data": folder, "questions": folder, "shares": shares})).training)
    asked = [row for row in rows if row.query.startswith("what about")]
    assert len({row.query for row in asked}) < len(asked)
    assert len({(row.query, row.query_id) for row in asked}) == len({row.query for row in asked})


def test_the_exam_asks_for_the_held_out_documents_among_others(recipe, folder):
    material = read(recipe({"type": "documents", "data": folder}))
    exam = material.exam
    assert exam.cut_out
    assert {query.id for query in exam.queries} == {row.document_ids[0] for row in material.validation}
    assert all(exam.qrels[query.id] == {query.id: 1} for query in exam.queries)
    assert len(exam.documents) == 120
    answers = {document.id: document for document in exam.documents}
    assert all(query.text == f"t{query.id[1:]}" and answers[query.id].title == "" for query in exam.queries)


def test_data_of_its_own_is_asked_instead(recipe, folder, caplog):
    made = recipe({"type": "documents", "data": folder}, proof={"data": folder, "limit": 30})
    with caplog.at_level(logging.WARNING):
        exam = read(made).exam
    assert exam.origin == f"the split dev of {folder}"
    assert (len(exam.queries), len(exam.qrels), len(exam.documents), exam.cut_out) == (30, 30, 120, False)
    assert caplog.text == ""  # learning from the documents is no leak
    with caplog.at_level(logging.WARNING):
        asked = recipe({"type": "documents", "data": folder, "questions": folder}, proof={"data": folder})
        read(asked)
    assert "of the 40 queries of the split dev" in caplog.text


def test_the_seed_decides_which_queries_are_asked(recipe, folder):
    train, proof = {"type": "documents", "data": folder}, {"data": folder, "limit": 10}
    first, again, other = (
        [query.id for query in read(recipe(train, proof=proof, seed=seed)).exam.queries] for seed in (0, 0, 1)
    )
    assert first == again != other
    assert first != sorted(first, key=lambda id_: int(id_[1:]))
    everything = read(recipe(train, proof={"data": folder, "limit": None})).exam
    assert (len(first), len(everything.queries)) == (10, 40)


def test_questions_of_another_corpus_are_refused(recipe, folder, tmp_path):
    def fill(_, work):
        beir.write_documents(work.path, [Document("x", "y")])
        beir.write_queries(work.path, [Query("q", "what about it")])
        beir.write_qrels(work.path, "train", {"q": {"x": 1}})

    artifact.make(ArtifactRecipe(stage="data", out=tmp_path / "other"), fill)
    with pytest.raises(ContractError, match="none of the questions"):
        read(recipe({"type": "documents", "data": folder, "questions": tmp_path / "other"}))
