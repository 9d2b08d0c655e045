"""What an evaluation shares with training."""

import json

import pytest

from core.data import leak
from core.errors import UsageError
from core.formats import beir, examples
from core.types import Document, Example, Passage, Query

LONG = (
    "投资者应当在充分了解产品风险、费用结构、流动性安排和退出机制之后，结合自身的财务状况与风险承受能力作出投资决定。"
)


def corpus(folder, documents, queries, **splits):
    folder.mkdir()
    beir.write_documents(folder, [Document(key, text) for key, text in documents.items()])
    beir.write_queries(folder, [Query(key, text) for key, text in queries.items()])
    for split, judged in splits.items():
        beir.write_qrels(folder, split, judged)
    return folder


@pytest.fixture
def train(tmp_path):
    return corpus(
        tmp_path / "train",
        {"d1": LONG, "d2": "存款保险的上限是五十万元", "d3": "没有人问的文字"},
        {"q1": "怎样作投资决定？", "q2": "存款保险赔多少"},
        train={"q1": {"d1": 1}, "q2": {"d2": 1, "d3": 0}},
    )


def between(first, second, **more):
    return leak.between(first, second, **{"split": None, "other_split": None, "threshold": 0.8, **more})


def test_shared_queries_and_answers_are_counted_exact_and_near(tmp_path, train):
    test = corpus(
        tmp_path / "test",
        {"x1": LONG.replace("作出", "做出"), "x2": "存款保险的上限是五十万元。", "x3": "别的", "d3": "没有人问的文字"},
        {"a": "怎样作投资决定", "b": "新的问题"},
        test={"a": {"x1": 1, "d3": 0}, "b": {"x2": 2, "x3": 1}},
    )
    found = between(train, test)
    queries, documents = found.shared["queries"], found.shared["documents"]
    assert (queries.exact, queries.near, queries.total, queries.cases) == (1, 0, 2, [("a", "q1")])
    # x2 is d2 but for a full stop; x1 has one character of its own; d3 is not relevant on either side.
    assert (documents.exact, documents.near, documents.total) == (1, 1, 3)
    assert documents.cases == [("x1", "d1"), ("x2", "d2")]
    assert (
        f"2 of 3 relevant documents of {test} are in {train} too (1 the same, 1 nearly), such as `x1` (there `d1`)"
        in found.problems()[1]
    )


def test_sets_that_share_nothing_have_no_problem(tmp_path, train):
    other = corpus(tmp_path / "test", {"x": "完全不同的文字"}, {"q1": "同一个编号，另一个问题"}, test={"q1": {"x": 1}})
    assert between(train, other).problems() == []


def test_two_splits_of_one_set_are_compared(tmp_path):
    folder = corpus(
        tmp_path / "set",
        {"d1": "甲的答案", "d2": "乙的答案"},
        {"q1": "甲", "q2": "乙"},
        train={"q1": {"d1": 1}},
        test={"q2": {"d1": 1, "d2": 1}},
    )
    found = between(folder, folder, split="train", other_split="test")
    assert found.shared["documents"].cases == [("d1", "d1")]
    assert found.shared["queries"].count == 0
    with pytest.raises(UsageError, match="compared with itself"):
        between(folder, folder)


def test_a_training_file_is_held_against_a_test_set(tmp_path, train):
    path = tmp_path / "train.jsonl"
    examples.write(
        path, [Example("存款保险，赔多少", (Passage("别处的文字"),)), Example("x", (Passage(LONG, id="p"),))]
    )
    found = between(path, train)
    assert found.shared["queries"].cases == [("q2", "row 1")]
    assert found.shared["documents"].cases == [("d1", "p")]


def test_graded_pairs_in_an_array_are_held_against_a_test_set(tmp_path, train):
    rows = [
        {"query": "x", "document": LONG, "rel": 0.5},
        {"query": "y", "document": "存款保险的上限是五十万元", "rel": 0},
    ]
    (tmp_path / "t.json").write_text(json.dumps(rows))
    found = between(tmp_path / "t.json", train)
    assert (found.shared["documents"].cases, found.shared["documents"].total) == ([("d1", "row 1")], 2)


def test_two_texts_under_one_id_are_both_looked_at(tmp_path, train):
    rows = [Example(query, (Passage(query, id="p"),), query_id="q") for query in ("存款保险赔多少", "另外的话")]
    examples.write(tmp_path / "a.jsonl", rows)
    assert between(tmp_path / "a.jsonl", train).shared["queries"].cases == [("q2", "q")]
