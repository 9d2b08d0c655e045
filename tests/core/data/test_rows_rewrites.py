"""Rewrites of teachers and of a model itself become rows to imitate."""

import json

import pyarrow.parquet as pq
import pytest
from pydantic import ValidationError

from core import artifact
from core.data.rows import build
from core.data.rows.item import in_form
from core.data.rows.recipe import Recipe
from core.errors import DataError
from core.llm.rewriting import template
from core.recipe import ArtifactRecipe
from core.text import answer


def lines(path, rows):
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


def made(tmp_path, of, name="out", **more):
    source = {"type": "rewrites", "of": of, "train_ratio": 0.5, "prompts": "finance", **more}
    recipe = Recipe.model_validate({"stage": "rows", "out": tmp_path / name, "source": source, "targets": ["sft"]})
    artifact.make(recipe, build.run)
    rows = [row for path in (tmp_path / name / "sft").glob("*.parquet") for row in pq.read_table(path).to_pylist()]
    asked = {row["messages"][1]["content"].partition("：")[2]: [] for row in rows}
    for row in rows:
        asked[row["messages"][1]["content"].partition("：")[2]].append(row["messages"][2]["content"])
    return asked, artifact.read(tmp_path / name)["stats"]


def of_file(tmp_path, rows):
    return {"type": "file", "path": str(lines(tmp_path / "taught.jsonl", rows))}


def of_stage(tmp_path, stage, name, rows):
    """An artifact of a stage with this file in it."""

    class Made(ArtifactRecipe):
        pass

    artifact.make(Made(stage=stage, out=tmp_path / stage), lambda _, work: lines(work.path / name, rows))
    return str(tmp_path / stage)


PAIR = [{"query": "另一个", "rewritten": "b"}]


def test_a_rewrite_is_the_answer_in_the_form_of_the_reward(tmp_path):
    rows = [{"query": "存钱的那家倒了", "rewritten": "存款保险 偿付限额", "thoughts": "倒闭即破产"}, *PAIR]
    asked, stats = made(tmp_path, of_file(tmp_path, rows))
    assert asked["存钱的那家倒了"] == ['<think>\n倒闭即破产\n</think>\n<answer>{"query": "存款保险 偿付限额"}</answer>']
    assert asked["另一个"] == ['<think></think>\n<answer>{"query": "b"}</answer>']
    assert stats["prompts"] == {
        "name": "finance", "digest": template.load("finance").facts()["digest"], "special_tokens": [],
        "boolean": False,
    }  # fmt: skip


def test_a_whole_answer_is_read_however_it_was_written(tmp_path):
    rows = [
        {"query": "a", "response": 'so it is</think>```json\n{"query": "x \\"y\\""}\n```'},
        {"query": "b", "response": "no idea"},
        *PAIR,
    ]
    asked, stats = made(tmp_path, of_file(tmp_path, rows))
    assert asked["a"] == ['<think>\nso it is\n</think>\n<answer>{"query": "x \\"y\\""}</answer>']
    assert "b" not in asked
    assert stats["left_out"] == {"nothing could be read out of the answer": 1}


@pytest.mark.parametrize("thoughts", ["", "fine", "a <think> in </answer> it", "</think><answer>{}"])
def test_every_answer_keeps_the_contract(thoughts):
    text = in_form(thoughts, "query", 'say "hi" </b>')
    form = answer.form(text)
    assert form.tags
    assert form.query
    assert answer.read(text).query == 'say "hi" </b>'


def test_the_rewrites_of_a_model_are_taken_without_its_fallbacks(tmp_path):
    row = {"query_id": "1", "rewritten": "b", "sample": 0, "fallback": None}
    rows = [row | {"query": "a"}, row | {"query": "c"}, row | {"query": "d", "rewritten": "d", "fallback": "cut off"}]
    folder = of_stage(tmp_path, "rewrite", "rewrites.jsonl", rows)
    asked, stats = made(tmp_path, {"type": "rewrite", "rewrites": folder})
    assert sorted(asked) == ["a", "c"]
    assert stats["left_out"] == {"nothing could be read out of the answer": 1}


def rollouts(*scores):
    return [
        {"group": group, "sample": number, "query": f"q{group}", "score": score,
         "response": f'<think></think><answer>{{"query": "{group}{number}"}}</answer>'}
        for number, (group, score) in enumerate(scores)
    ]  # fmt: skip


def test_of_a_probe_the_best_answers_that_earned_enough_are_taken(tmp_path):
    rows = rollouts(("a", 1.0), ("a", 3.0), ("a", 3.0), ("b", 2.0), ("c", 0.5), ("d", 9.0), ("d", None))
    folder = of_stage(tmp_path, "probe", "rollouts.jsonl", rows)
    asked, stats = made(tmp_path, {"type": "probe", "probe": folder, "min_score": 1.0})
    said = {query: [answer.read(text).query for text in texts] for query, texts in asked.items()}
    assert said == {"qa": ["a1"], "qb": ["b3"], "qd": ["d5"]}  # a2 earned as much, and came later
    assert stats["left_out"] == {
        "other answers to the query earned more": 2, "the answer earned less than `min_score`": 1,
        "the answer was not scored": 1,
    }  # fmt: skip
    every, _ = made(tmp_path, {"type": "probe", "probe": folder, "best": None}, "every")
    assert sorted(map(len, every.values())) == [1, 1, 1, 3]


def test_answers_to_one_query_stay_on_one_side(tmp_path):
    rows = [{"query": f"q{number % 10}", "rewritten": f"r{number}"} for number in range(60)]
    made(tmp_path, of_file(tmp_path, rows))
    sides = [
        {row["messages"][1]["content"] for row in pq.read_table(tmp_path / f"out/sft/{split}.parquet").to_pylist()}
        for split in ("train", "test")
    ]
    assert not sides[0] & sides[1]
    assert len(sides[0] | sides[1]) == 10


def test_a_row_without_an_answer_is_told(tmp_path):
    with pytest.raises(DataError, match="neither `response` nor `rewritten`"):
        made(tmp_path, of_file(tmp_path, [{"query": "a", "rewritten": " "}, *PAIR]))


@pytest.mark.parametrize(
    ("prompts", "told"),
    [
        ("rewrite_finance_zh", "this prompt template is called `finance`"),
        ("rewrite_en", "this prompt template is called `general`"),
        ("finanz", "there is no such prompt template: finance, general"),
    ],
)
@pytest.mark.parametrize("kind", ["retrieval", "rewrites"])
def test_a_template_that_is_not_there_is_told_with_those_there_are(kind, prompts, told):
    source = {"type": kind, "prompts": prompts, "data": "d", "of": {"type": "file", "path": "p"}}
    source.pop("of" if kind == "retrieval" else "data")
    with pytest.raises(ValidationError, match=told):
        Recipe.model_validate({"stage": "rows", "out": "a/b", "source": source, "targets": ["rl"]})


def test_rewrites_give_no_rows_for_rl():
    source = {"type": "rewrites", "of": {"type": "file", "path": "p"}}
    with pytest.raises(ValidationError, match="rewrites hold no ground truth"):
        Recipe.model_validate({"stage": "rows", "out": "a/b", "source": source, "targets": ["sft", "rl"]})
