"""Rows of judged queries of a corpus."""

import logging

import pytest

from core.embed.rows import corpus
from core.embed.rows.read import read
from core.errors import ContractError, DataError, UsageError
from core.formats import beir
from core.types import Document, Query

GRADED = {"loss": {"type": "weighted_mse"}}


def made(folder, qrels, *, queries=60, documents=100, split="train"):
    folder.mkdir(exist_ok=True)
    beir.write_documents(folder, [Document(f"d{n}", f"text {n}", f"title {n}") for n in range(documents)])
    beir.write_queries(folder, [Query(f"q{n}", f"query {n}") for n in range(queries)])
    beir.write_qrels(folder, split, qrels)
    return folder


@pytest.fixture
def folder(tmp_path):
    """Each query has two answers, of grade 2 and 1, and d99 of grade 0."""
    qrels = {f"q{n}": {f"d{n}": 2, f"d{(n // 2) + 60}": 1, "d99": 0} for n in range(60)}
    return made(tmp_path / "data", qrels)


def test_a_row_is_a_query_and_one_document_that_answers_it(recipe, folder):
    material = read(recipe({"type": "judged", "data": folder}))
    rows = [*material.training, *material.validation]
    # 60 queries with two answers; half of all share one with another query, so 20 queries are ten pairs
    assert len(rows) == 120
    assert len(material.validation) == 40
    assert all(len(row.documents) == 1 and row.labels is None for row in rows)
    row = next(row for row in rows if row.query == "query 7" and row.document_ids == ("d7",))
    assert (row.documents, row.query_id) == (("title 7\ntext 7",), "q7")
    assert not {d for row in material.training for d in row.document_ids} & {
        d for row in material.validation for d in row.document_ids
    }
    assert material.facts == {
        "documents": 100,
        "training_documents": 60,
        "held_out_documents": 30,
        "rows": 80,
        "queries": 40,
        "held_out_queries": 20,
    }


def test_the_exam_asks_the_held_out_queries_over_the_corpus(recipe, folder):
    material = read(recipe({"type": "judged", "data": folder}))
    assert {query.id for query in material.exam.queries} == {row.query_id for row in material.validation}
    assert len(material.exam.documents) == 100
    for query in material.exam.queries:
        number = int(query.id[1:])
        assert material.exam.qrels[query.id] == {f"d{number}": 2, f"d{(number // 2) + 60}": 1}
    assert material.exam.origin == f"queries held out from the split train of {folder}"


def test_grades_become_shares_of_the_highest(recipe, folder, caplog):
    caplog.set_level(logging.INFO)
    material = read(recipe({"type": "judged", "data": folder}, **GRADED))
    labels = {row.document_ids[0]: row.labels for row in material.training}
    assert {labels[f"d{n}"] for n in range(60) if f"d{n}" in labels} == {(1.0,)}
    assert {labels[f"d{n}"] for n in range(60, 90) if f"d{n}" in labels} == {(0.5,)}
    assert labels["d99"] == (0.0,)
    assert {row.labels for row in material.validation if row.document_ids == ("d99",)} == {(0.0,)}
    assert "documents that answer nothing stand on both sides" in caplog.text


def test_queries_of_one_text_have_one_id(recipe, tmp_path):
    qrels = {f"q{n}": {f"d{n}": 1} for n in range(20)} | {"again": {"d70": 1}}
    folder = made(tmp_path / "data", qrels)
    beir.write_queries(folder, [*(Query(f"q{n}", f"query {n}") for n in range(20)), Query("again", "Query 3?")])
    material = read(recipe({"type": "judged", "data": folder}))
    ids = {row.document_ids[0]: row.query_id for row in [*material.training, *material.validation]}
    assert ids["d70"] == ids["d3"] == "q3"


def test_labels_of_one_class_are_refused(recipe, tmp_path):
    folder = made(tmp_path / "data", {f"q{n}": {f"d{n}": 1} for n in range(60)})
    with pytest.raises(DataError, match="one class only: all 40 rows that count have the label 1"):
        read(recipe({"type": "judged", "data": folder}, **GRADED))
    assert len(read(recipe({"type": "judged", "data": folder})).training) == 40


def test_a_large_corpus_is_sampled_and_says_so(folder):
    found = corpus.read(folder, "train", seed=0, most=95)
    assert {f"d{n}" for n in range(90)} | {"d99"} <= {document.id for document in found.documents}
    assert len(found.documents) == 95
    assert found.sampled == ", over 95 of its 100 documents: the judged ones and a sample"
    assert corpus.read(folder, "train", seed=0, most=95) == found
    assert corpus.read(folder, "train", seed=1, most=95) != found
    few = corpus.read(folder, "train", seed=0, most=0)
    assert (len(few.documents), few.num_read) == (91, 100)  # the judged ones are kept whatever the bound


def test_the_sample_is_uniform(tmp_path):
    folder = made(tmp_path / "data", {"q0": {"d5": 1}}, documents=20)
    # Of 19 others 9 are kept beside the judged one: 100 samples keep each 47 times, standard deviation 5.
    counts = dict.fromkeys((f"d{n}" for n in range(20)), 0)
    for seed in range(100):
        for document in corpus.read(folder, "train", seed, most=10).documents:
            counts[document.id] += 1
    assert counts.pop("d5") == 100
    assert all(abs(count - 47) < 25 for count in counts.values())


def test_judgements_that_meet_no_corpus_are_refused(recipe, tmp_path):
    train = {"type": "judged", "data": tmp_path / "data"}
    made(tmp_path / "data", {"q0": {"x1": 1}, "q1": {"x2": 1}})
    with pytest.raises(ContractError, match="none of the 2 documents that answer"):
        read(recipe(train))
    made(tmp_path / "data", {"x0": {"d1": 1}})
    with pytest.raises(ContractError, match="none of the 1 judged queries"):
        read(recipe(train))
    made(tmp_path / "data", {"q0": {"d1": 0}})
    with pytest.raises(ContractError, match="no judgement has a grade above 0"):
        read(recipe(train))
    with pytest.raises(UsageError, match="no split `dev`"):
        read(recipe({**train, "split": "dev"}))


def test_what_is_missing_is_counted(recipe, tmp_path, caplog):
    qrels = {f"q{n}": {f"d{n}": 1} for n in range(40)} | {"x": {"d50": 1}, "q45": {"gone": 1}}
    with caplog.at_level(logging.WARNING):
        material = read(recipe({"type": "judged", "data": made(tmp_path / "data", qrels)}))
    assert material.facts["queries"] + material.facts["held_out_queries"] == 40
    assert "1 of 42 documents that answer are not in the corpus" in caplog.text
    assert "1 of 42 judged queries are not in queries.jsonl" in caplog.text


def test_an_exam_that_shares_queries_and_answers_is_told(recipe, folder, caplog):
    beir.write_qrels(folder, "dev", {f"q{n}": {f"d{n}": 1} for n in range(60)})
    with caplog.at_level(logging.WARNING):
        material = read(recipe({"type": "judged", "data": folder}, proof={"data": folder}))
    assert len(material.exam.queries) == 60
    assert "40 of the 60 queries of the split dev" in caplog.text
    assert "40 of the 60 documents that answer queries of the split dev" in caplog.text


def test_an_exam_without_answers_in_its_corpus_is_refused(recipe, folder, caplog):
    beir.write_qrels(folder, "dev", {f"q{n}": {f"x{n}": 1} for n in range(60)})
    with pytest.raises(ContractError, match="nothing can be asked"):
        read(recipe({"type": "judged", "data": folder}, proof={"data": folder}))
    beir.write_qrels(folder, "dev", {"q1": {"x": 1}, "q2": {"d2": 1}, "q3": {"d3": 0}})
    with caplog.at_level(logging.WARNING):
        exam = read(recipe({"type": "judged", "data": folder}, proof={"data": folder})).exam
    assert [query.id for query in exam.queries] == ["q2"]
    assert "1 of 2 queries are not asked" in caplog.text


def test_scifact(recipe, collection):
    """809 queries are judged, 919 times; 4 queries are copies of others (its README)."""
    folder = collection("scifact")
    train = {"type": "judged", "data": folder, "split": "train"}
    material = read(recipe(train))
    assert len(material.training) + len(material.validation) == 919
    assert material.facts["queries"] + material.facts["held_out_queries"] == 807
    # 0.05 * 807 = 40
    assert material.facts["held_out_queries"] == len(material.exam.queries) == 40
    assert len(material.exam.documents) == material.facts["documents"] == 5183
    trained, held = ({row.document_ids[0] for row in side} for side in (material.training, material.validation))
    assert not trained & held
    proof = read(recipe(train, proof={"data": folder, "split": "test"}))
    assert proof.training == material.training
    assert (len(proof.exam.queries), sum(map(len, proof.exam.qrels.values()))) == (300, 339)
