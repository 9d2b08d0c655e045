import json
from collections import Counter
from pathlib import Path

import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core import artifact
from core.data import check
from core.errors import ArtifactError, UsageError
from core.formats import beir
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
    assert check.percentiles(Counter(lengths)) == {**expected, "max": max(lengths)}


def test_no_texts_have_no_percentiles():
    assert check.percentiles(Counter()) == {}


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
    with pytest.raises(ArtifactError, match="an artifact of `data` is needed"):
        check.inspect(tmp_path / "out")
