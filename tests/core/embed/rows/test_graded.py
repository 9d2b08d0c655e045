"""Rows of graded pairs: source C's."""

import json
import logging
from itertools import pairwise

import pytest

from core.embed.rows.read import read
from core.errors import DataError

MSE = {"type": "weighted_mse"}


@pytest.fixture
def graded(recipe, tmp_path):
    """`graded(train, validation=…, test=…)`: rows in files, as one array where the name says so -> Material."""

    def write(name, rows):
        path = tmp_path / name
        lines = "\n".join(json.dumps(row) for row in rows)
        path.write_text(json.dumps(rows) if path.suffix == ".json" else lines, encoding="utf-8")
        return path

    def material(train, *, name="train.jsonl", fields=None, **files):
        written = {key: write(f"{key}.json", rows) for key, rows in files.items() if rows is not None}
        made = {"type": "graded", "train": write(name, train), **written}
        return read(recipe(made, **{"loss": MSE, **(fields or {})}))

    return material


def pairs(count, first=0):
    """Two documents for each query, and one of rel 0 that the next query has too."""
    return [
        {"query": f"query {n}", "document": f"{kind} {n}", "rel": rel, "weight": weight}
        for n in range(first, first + count)
        for kind, rel, weight in (("good", 1.0, 2.0), ("fair", 0.4, 1.0), ("bad", 0, 0.5))
    ]


@pytest.mark.parametrize("name", ["train.json", "train.jsonl"])
def test_a_row_is_a_pair_with_its_label_and_weight(graded, name):
    material = graded(pairs(50), name=name)
    rows = {row.documents[0]: row for row in [*material.training, *material.validation]}
    assert len(rows) == 150
    row = rows["fair 3"]
    assert (row.query, row.documents, row.labels, row.weight) == ("query 3", ("fair 3",), (0.4,), 1.0)
    assert rows["good 3"].weight == 2.0
    assert rows["good 3"].query_id == row.query_id != rows["good 4"].query_id
    assert rows["good 3"].document_ids != row.document_ids
    assert (material.exam, len(material.graded)) == (None, 60)
    assert material.facts == {
        "rows": 90,
        "queries": 30,
        "documents": 90,
        "validation_rows": 60,
        "held_out_queries": 20,
        "graded_rows": 60,
    }


def test_files_of_the_users_own_are_taken_whole(graded):
    material = graded(pairs(50), validation=pairs(5, 60), test=pairs(4, 80))
    assert (len(material.training), len(material.validation), len(material.graded)) == (150, 15, 12)
    assert {row.query for row in material.graded} == {f"query {n}" for n in range(80, 84)}
    alone = graded(pairs(50), validation=pairs(5, 60))
    assert alone.graded == alone.validation == material.validation


def test_rows_of_a_query_come_in_succession(graded):
    shuffled = sorted(pairs(5, 60), key=lambda row: row["document"])
    shuffled[3]["query"] = shuffled[3]["query"].upper() + "?"  # the same text, to people
    ids = [row.query_id for row in graded(pairs(50), validation=shuffled).graded]
    assert len(set(ids)) == 5
    assert sum(one != other for one, other in pairwise(ids)) == 4


def test_a_set_that_training_has_too_is_told(graded, caplog):
    with caplog.at_level(logging.WARNING):
        graded(pairs(50), validation=pairs(4, 48))
    assert "2 of its 4 queries and 4 of its 8 documents that answer are in" in caplog.text


def test_a_set_that_cannot_be_ranked_is_told(graded, caplog):
    with caplog.at_level(logging.WARNING):
        graded(pairs(50), validation=[row for row in pairs(4, 60) if row["rel"] == 0.4])
    assert "there is nothing to rank" in caplog.text


def test_few_validation_rows_for_the_processes_are_told(graded, caplog):
    with caplog.at_level(logging.WARNING):
        graded(pairs(50), validation=pairs(2, 60), fields={"batch_size": 4, "machine": {"processes": 2}})
    assert "the 6 validation rows are fewer than 2 processes × batch_size 4" in caplog.text
    caplog.clear()
    with caplog.at_level(logging.WARNING):
        graded(pairs(50), validation=pairs(3, 60), fields={"batch_size": 4, "machine": {"processes": 2}})
    assert caplog.text == ""


@pytest.mark.parametrize(
    ("number", "change", "what"),
    [
        (4, {"rel": 1.5}, "`rel` is 1.5, it must lie between 0 and 1"),
        (4, {"rel": -0.1}, "`rel` is -0.1"),
        (4, {"rel": "high"}, "`rel` is a text, a number is needed"),
        (4, {"weight": None}, "`weight` is null"),
        (4, {"weight": -1}, "a weight is 0 or more"),
        (4, {"label": 1}, "there is no field `label` in this format"),
        (4, {"document": ""}, "a document without text"),
    ],
)
def test_a_bad_row_is_told_with_its_line(graded, tmp_path, number, change, what):
    rows = pairs(50)
    rows[number] |= change
    with pytest.raises(DataError, match=what.replace("`", ".")) as caught:
        graded(rows)
    assert caught.value.where == f"{tmp_path}/train.jsonl:5"
    with pytest.raises(DataError, match=what.replace("`", ".")) as caught:
        graded(pairs(50), validation=rows)
    assert caught.value.where == f"{tmp_path}/validation.json: row 5"


def test_weights_are_given_to_all_rows_or_to_none(graded, tmp_path):
    rows = pairs(50)
    del rows[6]["weight"]
    with pytest.raises(DataError, match="missing weights: the row has none") as caught:
        graded(rows)
    assert caught.value.where == f"{tmp_path}/train.jsonl:7"
    without = [{key: value for key, value in row.items() if key != "weight"} for row in pairs(50)]
    assert {row.weight for row in graded(without).training} == {1.0}


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"rel": 0.7}, "one class only: all 150 rows that count have the label 0.7"),
        ({"rel": 0}, "one class only: all 150 rows that count have the label 0"),
        ({"weight": 0}, "the weights of all rows are 0"),
    ],
)
def test_rows_that_teach_nothing_are_refused(graded, change, what):
    with pytest.raises(DataError, match=what):
        graded([row | change for row in pairs(50)])


def test_rows_without_weight_are_no_class(graded):
    rows = [row | {"weight": float(row["rel"] == 1)} for row in pairs(50)]
    with pytest.raises(DataError, match="all 150 rows that count have the label 1"):
        graded(rows)


def test_too_few_rows_are_refused(graded):
    with pytest.raises(DataError, match="1 rows are left"):
        graded(pairs(1)[:1])
    with pytest.raises(DataError, match="too few queries to hold any out: 1"):
        graded(pairs(1))
    assert len(graded(pairs(1), validation=pairs(1, 60)).training) == 3


def test_the_seed_decides_what_is_held_out(graded):
    first, again, other = (graded(pairs(50), fields={"seed": seed}) for seed in (0, 0, 1))
    assert (first.training, first.validation) == (again.training, again.validation)
    assert first.validation != other.validation
