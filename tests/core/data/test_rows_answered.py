"""Questions with answers in words, for those who answer, for those who search, and for those who write SQL."""

import json
import sqlite3

import pyarrow.parquet as pq
import pytest

from core import artifact
from core.data.rows import build
from core.data.rows.recipe import Recipe
from core.errors import DataError
from core.reward import truth
from core.reward.parts import sql
from core.reward.sample import Sample
from core.text import answer


def made(tmp_path, kind, rows, targets=("sft", "rl"), **more):
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    source = {"type": kind, "path": path, "train_ratio": 0.5, **more}
    recipe = Recipe.model_validate({"stage": "rows", "out": tmp_path / "out", "source": source, "targets": targets})
    artifact.make(recipe, build.run)
    found = {
        target: [
            row for file in (tmp_path / "out" / target).glob("*.parquet") for row in pq.read_table(file).to_pylist()
        ]
        for target in targets
    }
    return found, artifact.read(tmp_path / "out")["stats"]


def truths(rows, read=truth.answers):
    return {row["extra_info"]["question"]: read(Sample("", "", row["reward_model"]["ground_truth"])) for row in rows}


SHAPES = [
    ({"answer": "Paris"}, ["Paris"]),
    ({"answers": ["Paris", "paris, France", "Paris"]}, ["Paris", "paris, France"]),
    ({"golden_answers": ["1889"], "answer": "ignored"}, ["1889"]),
    ({"answers": {"text": ["Paris"], "answer_start": [3]}}, ["Paris"]),
    ({"answer": {"value": "Paris", "aliases": ["City of Light"]}}, ["Paris", "City of Light"]),
    ({"answer": {"target": ["Paris"]}}, ["Paris"]),
    ({"answer": 1889}, ["1889"]),
]


@pytest.mark.parametrize("kind", ["answers", "evidence"])
def test_answers_of_every_common_shape_become_a_truth_that_rewards_read(tmp_path, kind):
    rows = [{"question": f"q{number}", **fields} for number, (fields, _) in enumerate(SHAPES)]
    found, _ = made(tmp_path, kind, rows, targets=["rl"])
    assert truths(found["rl"]) == {f"q{number}": answers for number, (_, answers) in enumerate(SHAPES)}


def test_who_answers_is_asked_the_question_and_imitates_the_first_answer(tmp_path):
    rows = [{"question": f"q{n}", "answers": [f"a{n}", "b"], "explanation": "so", "context": f"c{n}"} for n in range(4)]
    found, _ = made(tmp_path, "answers", rows)
    assert {row["prompt"][1]["content"] for row in found["rl"]} == {f"c{n}\n\nQuestion: q{n}" for n in range(4)}
    assert "search tool" in found["rl"][0]["prompt"][0]["content"]
    answers = {row["messages"][-1]["content"] for row in found["sft"]}
    assert answers == {f"<think>\nso\n</think>\n<answer>a{n}</answer>" for n in range(4)}
    assert found["rl"][0]["ability"] == "question_answering"


def test_who_searches_is_asked_for_a_query_in_the_words_of_dr_rewrite(tmp_path):
    rows = [{"question": f"q{n}", "answer": f"a{n}"} for n in range(4)]
    found, stats = made(tmp_path, "evidence", rows, targets=["rl"], prompts="finance")
    assert {row["prompt"][1]["content"] for row in found["rl"]} == {f"请改写这条查询：q{n}" for n in range(4)}
    assert (stats["prompts"]["name"], found["rl"][0]["ability"]) == ("finance", "query_rewriting")


@pytest.mark.parametrize("value", [None, "", [], [" "], {"other": "a"}, True])
def test_a_question_without_an_answer_is_a_bad_row(tmp_path, value):
    with pytest.raises(DataError, match=r"answer|text"):
        made(tmp_path, "evidence", [{"question": "q", "answer": value}, {"question": "r", "answer": "a"}], ["rl"])


def database(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE city (name TEXT, people INTEGER)")
        connection.execute("INSERT INTO city VALUES ('Lima', 10), ('Quito', 2)")
    connection.close()
    return path


SQL = [{"question": f"q{n}", "sql": f"SELECT name FROM city WHERE people > {n}", "db_id": "geo"} for n in range(4)]


@pytest.mark.parametrize("place", ["geo/geo.sqlite", "geo.sqlite"])
def test_the_tables_of_a_database_stand_in_the_prompt_and_the_answer_runs_on_it(tmp_path, place):
    path = database(tmp_path / "databases" / place)
    found, _ = made(tmp_path, "sql", SQL, databases=tmp_path / "databases")
    assert {row["prompt"][1]["content"] for row in found["rl"]} == {
        f"CREATE TABLE city (name TEXT, people INTEGER);\n\nQuestion: q{n}" for n in range(4)
    }
    for row in found["sft"]:
        said = row["messages"][-1]["content"]
        form = answer.form(said, key="sql")
        assert form.tags
        assert form.query
        assert sql.run(answer.read(said, key="sql").query, path, 5, 10)
    assert truths(found["rl"], truth.sql) == {row["question"]: (row["sql"], "geo") for row in SQL}


def test_a_row_may_bring_its_own_tables_and_a_note(tmp_path):
    rows = [{**row, "schema": "CREATE TABLE x (y)", "evidence": "y is a year"} for row in SQL]
    found, _ = made(tmp_path, "sql", rows)
    assert found["rl"][0]["prompt"][1]["content"].startswith("CREATE TABLE x (y)\n\nNote: y is a year\n\nQuestion: q")


def test_a_question_on_a_database_that_is_not_there_is_told(tmp_path):
    (tmp_path / "databases").mkdir()
    with pytest.raises(DataError, match="there is no database `geo`"):
        made(tmp_path, "sql", SQL, databases=tmp_path / "databases")
    (tmp_path / "databases" / "geo.sqlite").write_text("no database, but long enough to be looked at")
    with pytest.raises(DataError, match="cannot be read"):
        made(tmp_path, "sql", SQL, databases=tmp_path / "databases")
    with pytest.raises(DataError, match="nothing tells the tables"):
        made(tmp_path, "sql", SQL)


def test_letters_stand_in_a_box_where_the_reward_looks_for_one(tmp_path):
    rows = [{"question": f"q{n}", "A": "x", "B": "y", "answer": "B", "explanation": "Step 1: y"} for n in range(4)]
    found, _ = made(tmp_path, "choice", rows, prompts="process_zh", boxed=True)
    said = found["sft"][0]["messages"][-1]["content"]
    assert said == "<think>\nStep 1: y\n</think>\n<answer>\\boxed{B}</answer>"
    form = answer.form(said)
    assert (form.thoughts, form.answer, form.boxed, form.steps) == (True, True, True, 1)
    assert answer.read(said).short == "B"
