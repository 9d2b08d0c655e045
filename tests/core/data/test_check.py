import json
from collections import Counter
from pathlib import Path

import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core import artifact
from core.data import check, check_training
from core.data.report import percentiles
from core.errors import ArtifactError, DataError, UsageError
from core.formats import beir, verl
from core.formats.messages import Message
from core.recipe import ArtifactRecipe

TINY = Path(__file__).parents[2] / "data" / "tiny"


def folder(tmp_path, documents, queries=(), **splits):
    for name, values in (("corpus", documents), ("queries", queries)):
        if values:
            (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(value) + "\n" for value in values))
    for split, rows in splits.items():
        (tmp_path / "qrels").mkdir(exist_ok=True)
        (tmp_path / "qrels" / f"{split}.tsv").write_text("".join("\t".join(row) + "\n" for row in rows))
    return tmp_path


def document(identifier, text="text"):
    return {"_id": identifier, "text": text}


QUERY = {"_id": "q1", "text": "question"}


def test_the_facts_of_the_tiny_corpus():
    report = check.inspect(TINY)
    facts = report.as_dict()
    assert report.problems == []
    assert facts["documents"]["count"] == 8
    assert facts["documents"]["with_title"] == 5
    assert facts["queries"]["count"] == 4
    assert facts["splits"] == {
        "test": {
            "queries": 4,
            "judgements": 6,
            "judgements_per_query": 1.5,  # 6 / 4
            "most_judgements_of_a_query": 2,
            "queries_without_relevant": 0,
            "grades": {"0": 2, "1": 2, "2": 2},
        }
    }


def test_the_report_is_plain_data_and_a_table():
    report = check.inspect(TINY)
    assert json.loads(json.dumps(report.as_dict())) == report.as_dict()
    assert ("documents", "8") in report.rows()
    assert ("  judgements by grade", "0: 2, 1: 2, 2: 2") in report.rows()


@settings(deadline=None)
@given(st.lists(st.integers(0, 50), min_size=1))
def test_percentiles_are_those_of_numpy(lengths):
    expected = {f"p{p}": int(numpy.percentile(lengths, p, method="inverted_cdf")) for p in (5, 50, 95, 99)}
    assert percentiles(Counter(lengths)) == {**expected, "max": max(lengths)}


def test_no_texts_have_no_percentiles():
    assert percentiles(Counter()) == {}


@pytest.mark.parametrize(
    ("documents", "queries", "qrels", "problem"),
    [
        ([document("d1"), document("d1", "b")], [], [], "1 × duplicate id, first at {}/corpus.jsonl:2"),
        ([document("d1", " ")], [], [], "1 × empty document, first at {}/corpus.jsonl:1"),
        ([document("d1"), {"_id": "d2"}], [], [], "1 × missing text, first at {}/corpus.jsonl:2"),
        ([document("")], [], [], "1 × missing id, first at {}/corpus.jsonl:1"),
        ([document("d1")], [QUERY, QUERY], [], "1 × duplicate id, first at {}/queries.jsonl:2"),
        ([document("d1")], [QUERY], [("q1", "d2", "1")], "1 × unknown document, first at {}/qrels/test.tsv:1"),
        ([document("d1")], [QUERY], [("q2", "d1", "1")], "1 × unknown query, first at {}/qrels/test.tsv:1"),
        ([document("d1")], [QUERY], [("q1", "d1", "x")], "1 × bad grade, first at {}/qrels/test.tsv:1"),
    ],
)
def test_what_is_wrong_is_told_with_its_first_place(tmp_path, documents, queries, qrels, problem):
    splits = {"test": qrels} if qrels else {}
    assert check.inspect(folder(tmp_path, documents, queries, **splits)).problems == [problem.format(tmp_path)]


def test_duplicate_texts_and_queries_without_judgements_are_facts_not_problems(tmp_path):
    queries = [QUERY, {"_id": "q2", "text": "question"}]
    path = folder(tmp_path, [document("d1"), document("d2")], queries, test=[("q1", "d1", "1")])
    report = check.inspect(path)
    assert report.problems == []
    assert report.facts["documents"]["exact_duplicates"] == 1
    assert report.facts["queries"]["duplicate_texts"] == 1
    assert report.facts["queries"]["without_judgements"] == 1


def test_a_query_in_two_splits_is_a_problem(tmp_path):
    row = [("q1", "d1", "1")]
    report = check.inspect(folder(tmp_path, [document("d1")], [QUERY], train=row, test=row))
    assert report.problems == ["1 × query judged in more than one split"]


def test_no_corpus_is_an_error(tmp_path):
    with pytest.raises(UsageError, match="no such file"):
        check.inspect(tmp_path)
    with pytest.raises(UsageError, match="no such folder"):
        check.inspect(tmp_path / "absent")


def test_an_artifact_of_another_stage_is_refused(tmp_path):
    recipe = ArtifactRecipe(stage="index", out=tmp_path / "out")
    artifact.make(recipe, lambda recipe, work: beir.write_documents(work.path, []))
    with pytest.raises(ArtifactError, match=r"an artifact of `data` or .* is needed, this is one of `index`"):
        check.inspect(tmp_path / "out")


def test_grades_that_contradict_each_other_are_a_problem(tmp_path):
    report = check.inspect(
        folder(tmp_path, [document("d1")], [QUERY], train=[("q1", "d1", "1")], test=[("q1", "d1", "0")])
    )
    assert report.problems == [
        f"1 × conflicting grade, first at {tmp_path}/qrels/test.tsv:1",
        "1 × query judged in more than one split",
    ]


def test_the_first_three_places_are_told(tmp_path):
    report = check.inspect(folder(tmp_path, [document("d1"), *[document(f"e{n}", " ") for n in range(4)]]))
    assert report.problems == [f"4 × empty document, first at {tmp_path}/corpus.jsonl:2, :3, :4"]


def training(tmp_path, rows, name="train.jsonl"):
    text = json.dumps(rows) if name.endswith(".json") else "".join(json.dumps(row) + "\n" for row in rows)
    (tmp_path / name).write_text(text)
    return tmp_path / name


def triple(query, text, rel, **weight):
    return {"query": query, "document": text, "rel": rel, **(weight or {"weight": 1.0})}


@pytest.mark.parametrize("name", ["train.jsonl", "train.json"])
def test_labels_and_weights_of_graded_pairs_are_counted(tmp_path, name):
    rows = [triple("q", "a", 1), triple("q", "b", 0, weight=0.5), triple("p", "a", 1.0), triple("q", "a", 1)]
    report = check_training.inspect(training(tmp_path, rows, name))
    assert report.problems == []
    assert report.as_dict() == {
        "file": str(tmp_path / name), "rows": 4, "kind": "triples", "queries": 2, "documents": 2, "exact_duplicates": 1,
        "labels": {"counts": {"0": 1, "1": 3}}, "weights": {"counts": {"0.5": 1, "1": 3}},
        "bad_rows": {}, "problems": [],
    }  # fmt: skip
    assert ("labels (rel)", "0: 1, 1: 3") in report.rows()


def test_many_labels_are_shown_as_a_spread_and_in_tenths(tmp_path):
    rows = [triple("q", f"d{n}", n / 100) for n in range(101)]
    report = check_training.inspect(training(tmp_path, rows))
    spread = {f"p{p}": numpy.percentile(numpy.arange(101) / 100, p, method="inverted_cdf") for p in (5, 50, 95, 99)}
    assert report.facts["labels"] == {"spread": {"min": 0.0, **spread, "max": 1.0}}
    tenths = dict(report.rows())["  in tenths, from"]
    assert tenths.startswith("0: 10, 0.1: 10")
    assert tenths.endswith("0.9: 11")


def test_what_is_wrong_with_graded_pairs_is_told_with_its_places(tmp_path):
    rows = [
        triple("q", "a", 1), triple("q", "a", 0), triple("q", "b", 1.5), triple("q", "c", -0.1),
        triple("q", "e", 1, weight=-1), {"query": "q", "document": "f", "rel": 1}, triple("q", "g", "1"),
        triple("q", "h", 1, weight=None), {"query": "q", "doc": "i", "rel": 1}, {"query": "q", "document": "j"},
        triple("q", "a", 1),
    ]  # fmt: skip
    path = training(tmp_path, rows)
    assert sorted(check_training.inspect(path).problems) == sorted(
        [
            f"1 × conflicting label of the same query and document, first at {path}:2",
            f"2 × `rel` outside 0 to 1, first at {path}:3, :4",
            f"1 × negative `weight`, first at {path}:5",
            f"1 × no `weight`, which counts as 1, first at {path}:6",
            f"2 × bad grade, first at {path}:7, :8",
            f"1 × wrong columns, first at {path}:9",
            f"1 × missing text, first at {path}:10",
        ]
    )


def test_examples_are_counted_and_a_passage_on_both_sides_is_a_conflict(tmp_path):
    rows = [
        {"query": "q", "positives": [{"text": "a", "score": 0.9}], "negatives": [{"text": "b"}, {"text": "c"}]},
        {"query": "q", "positives": [{"text": "b"}]},
        {"query": "r", "positives": []},
    ]
    path = training(tmp_path, rows)
    report = check_training.inspect(path)
    assert report.problems == [
        f"1 × conflicting label of the same query and document, first at {path}:2",
        f"1 × missing text, first at {path}:3",
    ]
    assert report.facts["labels"] == {"positives": 2, "negatives": 2}
    assert report.facts["per_example"]["negatives"] == {"p5": 0, "p50": 0, "p95": 2, "p99": 2, "max": 2}
    assert report.facts["scores"]["positives"] == {"counts": {"0.9": 1}}


def test_a_file_that_is_no_training_file_is_an_error(tmp_path):
    with pytest.raises(DataError, match="this is no training row: it has `id`, `text`"):
        check_training.inspect(training(tmp_path, [{"id": 1, "text": "t"}]))
    with pytest.raises(UsageError, match="no such file"):
        check_training.inspect(tmp_path / "absent")
    (tmp_path / "broken.jsonl").write_text("{\n")
    with pytest.raises(DataError, match="no row of the file can be read"):
        check_training.inspect(tmp_path / "broken.jsonl")


def rl_rows(path, *truths, **changed):
    """RL rows with these ground truths."""
    path.parent.mkdir(exist_ok=True, parents=True)
    writer = verl.Writer(path, verl.rl_schema())
    for index, truth in enumerate(truths):
        prompt = (Message("system", "s"), Message("user", "q"))
        row = verl.rl_row(
            prompt, data_source="bank", ability="a", ground_truth=truth, split="train", index=index, question="q"
        )
        writer.write(row | changed)
    writer.close()
    return path


def test_rl_rows_are_counted_by_role_source_and_kind_of_truth(tmp_path):
    report = check_training.inspect(rl_rows(tmp_path / "train.parquet", '{"d1": 1}', "B", "3.5", "[1]", "两万元"))
    assert report.problems == []
    assert report.facts == {
        "rows": 5, "kind": "rl", "roles": {"system": 5, "user": 5},
        "messages_per_row": {"p5": 2, "p50": 2, "p95": 2, "p99": 2, "max": 2}, "data_sources": {"bank": 5},
        "ground_truths": {"an object": 1, "a letter": 1, "a number": 1, "a list": 1, "a text": 1}, "bad_rows": {},
    }  # fmt: skip
    assert ("rows by data_source", "bank: 5") in report.rows()


def test_what_is_wrong_with_rl_and_sft_rows_is_told_with_row_and_column(tmp_path):
    path = rl_rows(tmp_path / "train.parquet", "1", " ", " ")
    assert check_training.inspect(path).problems == [
        f"2 × `reward_model.ground_truth` is empty, first at {path}: row 2, row 3"
    ]
    messages = [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]
    rows = [{"messages": messages}, {"messages": messages[:1]}, {"messages": [{"role": "robot", "content": "x"}]}]
    path = training(tmp_path, rows, "messages.jsonl")
    report = check_training.inspect(path)
    assert report.facts["roles"] == {"user": 1, "assistant": 1}
    roles = "system, user, assistant, tool"
    assert report.problems == [
        f"1 × `messages` ends with the user, assistant is needed, first at {path}:2",
        f"1 × `messages[0].role` is 'robot', one of {roles} is needed, first at {path}:3",
    ]


def made(tmp_path, stage, fill):
    artifact.make(ArtifactRecipe(stage=stage, out=tmp_path / stage), lambda recipe, work: fill(work.path))
    return tmp_path / stage


def test_an_artifact_of_rows_is_checked_file_by_file(tmp_path):
    def fill(folder):
        rl_rows(folder / "rl" / "train.parquet", "1", "2")
        rl_rows(folder / "rl" / "test.parquet", " ")

    report = check.inspect(made(tmp_path, "rows", fill))
    assert {name: facts["rows"] for name, facts in report.facts["files"].items()} == {
        "rl/test.parquet": 1,
        "rl/train.parquet": 2,
    }
    assert ("file", "rl/train.parquet") in report.rows()
    assert report.problems == [
        f"1 × `reward_model.ground_truth` is empty, first at {tmp_path}/rows/rl/test.parquet: row 1"
    ]


@pytest.mark.parametrize("stage", ["mine", "mix", None])
def test_a_folder_of_training_rows_needs_no_corpus(tmp_path, stage):
    rows = [{"query": "q", "positives": [{"text": "a"}]}]
    if stage is None:
        training(tmp_path, rows)
    folder = tmp_path if stage is None else made(tmp_path, stage, lambda folder: training(folder, rows))
    report = check.inspect(folder)
    assert report.problems == []
    assert report.facts["files"]["train.jsonl"]["kind"] == "examples"
