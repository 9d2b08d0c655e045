import contextlib
import functools
import json

import numpy as np
import pytest

from core import measure, progress, significance
from core.embed.proof.prove import facts, prove
from core.embed.rows.row import Exam, Row
from core.retrieval import index
from core.retrieval.encoder import open_encoder
from core.retrieval.spec import Bm25, Dense, Hybrid
from core.types import Document, Query


@pytest.fixture(scope="module")
def prove_anew(knowing, exam, material, recipe_for):
    """`prove_anew(10, 30)`: the report on a training from a model that knows 10 questions to one that knows 30."""

    def report(base, trained):
        return prove(recipe_for(), base and knowing(base), knowing(trained), material(exam))

    return report


@pytest.fixture(scope="module")
def proof(prove_anew):
    """The same, each only once."""
    return functools.cache(prove_anew)


def test_a_model_that_learnt_is_better_than_its_base_and_passes(proof):
    report = proof(10, 30)
    assert report["gate"] == "passed"
    assert {method: c["verdict"] for method, c in report["against_base"].items()} == {
        "dense": "better",
        "hybrid": "better",
    }
    assert report["alarms"] == []
    dense = report["against_base"]["dense"]
    assert (
        f"The trained model alone: {dense['mean_b']:.3f}, better than its base with {dense['mean_a']:.3f}"
        in (report["verdict"])
    )
    assert "40 queries (made by hand) over 100 documents" in report["verdict"]


def test_a_model_that_forgot_is_worse_than_its_base_and_fails(proof):
    report = proof(30, 10)
    assert report["gate"] == "failed"
    assert report["against_base"]["dense"]["verdict"] == "worse"
    assert "worse than its base with 0.7" in report["verdict"]


def test_a_difference_that_may_be_luck_passes(proof):
    report = proof(30, 28)
    assert report["ndcg@10"]["dense"] < report["ndcg@10"]["base_dense"]
    assert report["gate"] == "passed"
    assert "no sure difference to its base" in report["verdict"]


def test_a_model_from_nothing_is_held_against_bm25_and_not_gated(proof):
    report = proof(None, 30)
    assert report["gate"] == "none"
    assert report["against_base"] == {}
    assert set(report["ndcg@10"]) == {"bm25", "dense", "hybrid"}
    assert report["against_bm25"]["dense"]["verdict"] == "better"  # no question shares a word with its answer
    assert "better than BM25 with 0.000" in report["verdict"]
    assert "trained from nothing" in report["verdict"]


def dense_ndcg(folder, exam):
    """nDCG@10 of each query by exact cosine."""
    encoder = open_encoder(Dense(type="dense", model=str(folder)))
    cosines = encoder.queries([q.text for q in exam.queries]) @ encoder.documents([d.text for d in exam.documents]).T
    rankings = [[exam.documents[n].id for n in order] for order in np.argsort(-cosines, axis=1, kind="stable")]
    return [measure.ndcg(r, exam.qrels[q.id], 10) for q, r in zip(exam.queries, rankings, strict=True)]


def test_comparisons_are_those_of_the_projects_one_tool(proof, knowing, exam):
    report = proof(10, 30)
    before, after, none = dense_ndcg(knowing(10), exam), dense_ndcg(knowing(30), exam), [0.0] * 40
    by_hand = significance.compare(before, after, seed=0)
    assert report["against_base"]["dense"] == by_hand.as_dict()
    alone = significance.compare(none, after, seed=0)
    told = report["against_bm25"]["dense"]
    assert {**told, "adjusted_p": None} == {**alone.as_dict(), "adjusted_p": None}
    # Three are read side by side, and each has the least p that 10,001 samples give: Holm multiplies by 3.
    assert told["adjusted_p"] == pytest.approx(3 * alone.p_value)


@pytest.fixture(scope="module")
def mixed():
    """An exam on which BM25 and vectors of letters both find something."""
    rng = np.random.default_rng(5)
    words = ["".join(rng.choice(list("abcdefgh"), 4)) for _ in range(60)]
    texts = [" ".join(rng.choice(words, 6)) for _ in range(150)]
    queries = [Query(f"q{n}", " ".join([*text.split()[:2], rng.choice(words)])) for n, text in enumerate(texts[:30])]
    qrels = {f"q{n}": {f"d{n}": 2, f"d{n + 40}": 1} for n in range(30)}
    return Exam(queries, qrels, [Document(f"d{n}", text) for n, text in enumerate(texts)], "mixed")


def test_every_score_is_that_of_a_real_hybrid_index(static_model, mixed, material, recipe_for, tmp_path):
    settings = {"k1": 1.5, "b": 0.3}
    report = prove(recipe_for(proof={"bm25": settings}), None, static_model, material(mixed))
    spec = Hybrid(type="hybrid", bm25=Bm25(**settings), dense=Dense(type="dense", model=str(static_model)))
    index.build(mixed.documents, spec, tmp_path / "index")
    opened = index.open_index(tmp_path / "index")
    for method in ("bm25", "dense", "hybrid"):
        found = opened.search([query.text for query in mixed.queries], 10, method=method)
        for name, of in [
            ("ndcg@10", measure.ndcg),
            ("recall@10", measure.recall),
            ("hit@10", measure.hit),
            ("mrr@10", measure.reciprocal_rank),
        ]:
            scores = [
                of([hit.document_id for hit in hits], mixed.qrels[query.id], 10)
                for query, hits in zip(mixed.queries, found, strict=True)
            ]
            assert report[name][method] == pytest.approx(np.mean(scores)), (name, method)
    assert len({round(value, 6) for value in report["ndcg@10"].values()}) == 3


class Counted:
    """Counts what has a progress bar."""

    def __init__(self):
        self.seen = {}

    @contextlib.contextmanager
    def bar(self, what, total):
        self.seen.setdefault(what, []).append(total)
        yield self

    def advance(self, count=1):
        pass


def test_nothing_is_computed_twice(prove_anew):
    counted = Counted()
    progress.listen(counted)
    try:
        prove_anew(10, 30)
    finally:
        progress.listen(None)
    assert counted.seen["dense: encode documents"] == [100, 100]  # base and trained
    (bm25,) = [totals for what, totals in counted.seen.items() if what.startswith("bm25")]
    assert len(bm25) == 1


def test_the_same_proof_gives_the_same_report_and_json_takes_it(prove_anew, proof):
    assert json.dumps(prove_anew(10, 30)) == json.dumps(proof(10, 30))


def test_a_model_equal_to_its_base_is_told(prove_anew, caplog):
    report = prove_anew(20, 20)
    assert report["gate"] == "passed"
    assert "nothing was learnt" in report["alarms"][0]
    assert "Beware: nothing was learnt" in report["verdict"]
    assert "nothing was learnt" in caplog.text


def test_collapsed_vectors_are_told(hand_made, knowing, exam, material, recipe_for, tmp_path):
    rng = np.random.default_rng(0)
    texts = [document.text for document in exam.documents] + [query.text for query in exam.queries]
    hand_made({text: 1 + 0.01 * rng.normal(size=64) for text in texts}).save(str(tmp_path / "collapsed"))
    report = prove(recipe_for(), knowing(20), tmp_path / "collapsed", material(exam))
    assert report["gate"] == "failed"
    (alarm,) = report["alarms"]
    assert "collapsed: two documents have a mean cosine of 0.99" in alarm
    assert "before training" in alarm


def test_queries_cut_out_of_documents_are_said_to_be(knowing, exam, material, recipe_for):
    cut_out = Exam(exam.queries, exam.qrels, exam.documents, "cut out", cut_out=True)
    verdict = prove(recipe_for(), None, knowing(20), material(cut_out))["verdict"]
    assert "harder on BM25 than real queries are, and `dr eval` decides" in verdict


CHOSEN = "The checkpoint was chosen by what it scored on the same queries"


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({}, True),
        ({"proof": {"data": "a/corpus"}}, False),
        ({"proof": {"data": "a/corpus"}, "checkpoints": {"select_by": "ndcg@10"}}, True),
        ({"epochs": 0}, False),
    ],
)
def test_queries_that_chose_the_checkpoint_are_said_to_have(changes, told, knowing, exam, material, recipe_for):
    verdict = prove(recipe_for(**changes), None, knowing(20), material(exam))["verdict"]
    assert (CHOSEN in verdict) == told


def test_facts_for_the_manifest_are_taken_from_the_report(proof):
    report = proof(10, 30)
    assert facts(report) == {name: report[name] for name in ("ndcg@10", "gate", "verdict", "alarms")}


@pytest.fixture
def graded(recipe_for):
    return recipe_for(train={"type": "graded", "train": "unused"}, loss={"type": "weighted_mse"})


@pytest.mark.parametrize(("base", "trained", "gate"), [(5, 35, "passed"), (35, 5, "failed"), (30, 30, "passed")])
def test_graded_pairs_are_compared_query_by_query(knowing, material, graded, graded_rows, base, trained, gate):
    report = prove(graded, knowing(base), knowing(trained), material(graded=graded_rows))
    assert report["gate"] == gate
    assert report["queries"] == 40
    assert set(report["ndcg@10"]) == {"dense", "base_dense"}
    compared = report["against_base"]["dense"]
    assert (compared["num_queries"], compared["mean_b"]) == (40, pytest.approx(report["ndcg@10"]["dense"]))
    assert "On 40 queries of graded pairs" in report["verdict"]
    assert CHOSEN in report["verdict"]
    assert {"ndcg@1", "ndcg@5", "mrr", "map"} <= report.keys()


def test_graded_pairs_that_rank_nothing_are_no_proof_and_say_so(knowing, material, graded):
    rows = [Row("questionaa", ("answeraa",), "q1", ("d1",), (1.0,)), Row("x", ("answerab",), "q2", ("d2",), (0.0,))]
    report = prove(graded, knowing(10), knowing(10), material(graded=rows))
    assert (report["gate"], report["queries"], report["silent_queries"]) == ("none", 0, 2)
    assert "No query can be measured: 2 queries" in report["verdict"]
    assert "nothing was learnt" in report["alarms"][0]


def test_graded_pairs_beside_a_corpus_are_told_and_the_corpus_decides(knowing, exam, material, graded, graded_rows):
    report = prove(graded, knowing(30), knowing(10), material(exam, graded_rows))
    assert report["gate"] == "failed"
    assert report["documents"] == 100
    assert report["graded"]["queries"] == 40
