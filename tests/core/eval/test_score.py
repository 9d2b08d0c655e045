import json

import ir_measures
import pytest

from core import artifact
from core.errors import ArtifactError, GateFailed, RecipeError
from core.eval import compare, score
from core.eval.recipe import Expectation, Recipe, RunFile

CORPUS = ["d1", "d2", "d3", "d4"]
QRELS = {"q1": {"d1": 2, "d2": 1}, "q2": {"d3": 1}, "q3": {"d4": 1}}
RUN = "q1 Q0 d2 1 3.0 x\nq1 Q0 d1 2 2.0 x\nq2 Q0 d1 1 9 x\nq2 Q0 d3 2 8 x\nunjudged Q0 d1 1 1 x\n"


@pytest.fixture
def data(tmp_path):
    """A finished data artifact."""
    from core.recipe import ArtifactRecipe

    def fill(recipe, work):
        (work.path / "corpus.jsonl").write_text(
            "".join(json.dumps({"_id": id_, "title": "", "text": f"text {id_}"}) + "\n" for id_ in CORPUS)
        )
        (work.path / "queries.jsonl").write_text(
            "".join(json.dumps({"_id": id_, "text": f"query {id_}"}) + "\n" for id_ in QRELS)
        )
        (work.path / "qrels").mkdir()
        lines = [f"{q}\t{d}\t{grade}\n" for q, judged in QRELS.items() for d, grade in judged.items()]
        (work.path / "qrels/test.tsv").write_text("query-id\tcorpus-id\tscore\n" + "".join(lines))

    artifact.make(ArtifactRecipe(stage="data", out=tmp_path / "data"), fill)
    return tmp_path / "data"


def evaluate(data, run, name="eval", **more):
    path = data.parent / f"{name}.run"
    path.write_text(run)
    recipe = Recipe(stage="eval", data=data, out=data.parent / name, system=RunFile(type="run", path=path), **more)
    artifact.make(recipe, score.run)
    return recipe


def test_scores_by_hand(data):
    recipe = evaluate(data, RUN, measures=["mrr@10", "recall@10", "hit@3", "map"])
    # q1: relevant at 1 and 2; q2: at 2; q3 is not answered
    assert score.read_scores(recipe.out) == {
        "measures": pytest.approx({"mrr@10": (1 + 0.5 + 0) / 3, "recall@10": 2 / 3, "hit@3": 2 / 3, "map": 1.5 / 3}),
        "queries": 3,
        "missing": 1,
    }


def test_a_judged_query_that_is_not_answered_scores_zero_and_is_counted(data):
    recipe = evaluate(data, RUN)
    rows = {row["query_id"]: row for row in map(json.loads, (recipe.out / "per_query.jsonl").read_text().splitlines())}
    assert rows.keys() == QRELS.keys()
    assert rows["q3"]["ndcg@10"] == 0
    assert artifact.read(recipe.out)["stats"]["missing"] == 1


def test_the_written_run_scores_the_same_in_another_tool(data):
    recipe = evaluate(data, RUN + "q3 Q0 d1 1 1 x\nq3 Q0 d4 2 0.5 x\n", measures=["ndcg@10"])
    qrels = [ir_measures.Qrel(q, d, grade) for q, judged in QRELS.items() for d, grade in judged.items()]
    run = list(ir_measures.read_trec_run(str(recipe.out / "run.trec")))
    theirs = ir_measures.calc_aggregate([ir_measures.nDCG @ 10], qrels, run)[ir_measures.nDCG @ 10]
    assert score.read_scores(recipe.out)["measures"]["ndcg@10"] == pytest.approx(theirs, abs=1e-6)


def test_equal_scores_are_ranked_by_id(data):
    # trec_eval alone would put d2 in front of d1
    recipe = evaluate(
        data, "q1 Q0 d2 1 1.0 x\nq1 Q0 d1 2 1.0 x\nq2 Q0 d3 1 1 x\nq3 Q0 d4 1 1 x\n", measures=["ndcg@10"]
    )
    assert score.read_scores(recipe.out)["measures"]["ndcg@10"] == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("run", "says"),
    [
        ("x1 Q0 d1 1 1 t\n", "no judged query is among those that were answered"),
        ("q1 Q0 other-1 1 1 t\n", "no returned document is in the corpus"),
    ],
)
def test_ids_that_do_not_meet_stop_instead_of_scoring_zero(data, run, says):
    with pytest.raises(GateFailed, match=says) as caught:
        evaluate(data, run)
    # both sides are shown
    assert "q1" in caught.value.hint or "d1" in caught.value.hint
    assert "x1" in caught.value.hint or "other-1" in caught.value.hint
    assert not (data.parent / "eval").exists()


def test_hits_that_are_in_the_corpus_but_judged_nowhere_are_a_real_zero(data):
    recipe = evaluate(data, "q1 Q0 d4 1 1 t\n", measures=["recall@10"])
    assert score.read_scores(recipe.out)["measures"]["recall@10"] == 0


@pytest.mark.parametrize(
    ("expected", "says"),
    [
        (0.9, r"recall@10 is 0\.6667, the recipe expects at least 0\.9"),
        (Expectation(value=0.5, tolerance=0.1), r"recall@10 is 0\.6667, the recipe expects 0\.5 \(tolerance 0\.1\)"),
    ],
)
def test_a_missed_expectation_is_a_gate_and_the_artifact_stays(data, expected, says):
    recipe = evaluate(data, RUN, expect={"recall@10": expected})
    with pytest.raises(GateFailed, match=says) as caught:
        score.gate(recipe)
    assert caught.value.exit_code == 4
    assert (recipe.out / "scores.json").exists()


@pytest.mark.parametrize("expected", [0.6, 2 / 3, Expectation(value=0.6, tolerance=0.07)])
def test_a_met_expectation_passes(data, expected):
    score.gate(evaluate(data, RUN, expect={"Top5@accuracy": expected}))


def test_another_expectation_needs_no_new_artifact(data):
    first = evaluate(data, RUN)
    assert not artifact.make(first.model_copy(update={"expect": {"map": 0.1}}), score.run)


def test_a_measure_deeper_than_the_hits_is_refused(tmp_path):
    from core.recipe import load

    path = tmp_path / "r.yaml"
    path.write_text("stage: eval\nout: o\ndata: d\ndepth: 50\nsystem: {type: run, path: r}\nmeasures: [recall@100]\n")
    with pytest.raises(RecipeError, match="`depth` is 50, but a measure looks at 100 hits"):
        load(path, Recipe)


def test_comparison_is_paired_by_query(data):
    first = evaluate(data, RUN, "a")
    second = evaluate(data, "q1 Q0 d1 1 2 t\nq1 Q0 d2 2 1 t\nq2 Q0 d3 1 1 t\nq3 Q0 d4 1 1 t\n", "b")
    found = compare.run(first.out, second.out, ["recall@10", "mrr@10"])
    # recall: q1 1 -> 1, q2 1 -> 1, q3 0 -> 1; of 2 sign patterns of one change both reach it: p = 1
    assert (found["recall@10"].wins, found["recall@10"].losses, found["recall@10"].p_value) == (1, 0, 1.0)
    assert found["mrr@10"].difference == pytest.approx((0 + 0.5 + 1) / 3)


def test_evaluations_over_other_queries_are_not_compared(data):
    first = evaluate(data, RUN, "a")
    (data / "qrels/dev.tsv").write_text("query-id\tcorpus-id\tscore\nq1\td1\t1\n")
    second = evaluate(data, RUN, "b", split="dev")
    with pytest.raises(GateFailed, match="measured against different judgements"):
        compare.run(first.out, second.out, [])


def test_an_expectation_of_another_measure_needs_a_new_artifact(data):
    first = evaluate(data, RUN)
    with pytest.raises(ArtifactError, match="measures"):
        artifact.make(first.model_copy(update={"expect": {"recall@7": 0.1}}), score.run)


def test_one_measure_cannot_be_expected_twice(data, tmp_path):
    with pytest.raises(ValueError, match="`MRR` and `mrr@10` are one measure"):
        evaluate(data, RUN, expect={"MRR": 0.1, "mrr@10": 0.9})


def test_a_querys_own_document_is_left_out_before_the_hits_are_counted(data):
    run = "q1 Q0 q1 1 9 t\nq1 Q0 d4 2 8 t\nq1 Q0 d1 3 7 t\nq2 Q0 d3 1 1 t\nq3 Q0 d4 1 1 t\n"
    recipe = evaluate(data, run, ignore_identical_ids=True, depth=2, measures=["recall@2"])
    # q1 keeps d4 and d1 of its relevant d1 and d2: 1/2
    assert score.read_scores(recipe.out)["measures"]["recall@2"] == pytest.approx((0.5 + 1 + 1) / 3)
    assert "q1 Q0 q1" not in (recipe.out / "run.trec").read_text()


def test_judgements_without_a_relevant_document_are_no_zero(data):
    (data / "qrels/test.tsv").write_text("query-id\tcorpus-id\tscore\nq1\td1\t0\n")
    manifest = json.loads((data / "manifest.json").read_text())
    manifest["files"]["qrels/test.tsv"]["bytes"] = (data / "qrels/test.tsv").stat().st_size
    (data / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(GateFailed, match="no judgement has a grade above 0"):
        evaluate(data, RUN)


def test_an_index_of_another_corpus_is_refused_even_where_ids_are_the_same(data, tmp_path):
    from core.eval.recipe import SearchIndex
    from core.index import build
    from core.index.recipe import Recipe as IndexRecipe
    from core.recipe import ArtifactRecipe

    def other(recipe, work):
        (work.path / "corpus.jsonl").write_text('{"_id": "d1", "title": "", "text": "another text"}\n')

    artifact.make(ArtifactRecipe(stage="data", out=tmp_path / "other"), other)
    backend = {"type": "bm25", "analyzer": {"type": "english"}}
    index = IndexRecipe(stage="index", data=tmp_path / "other", out=tmp_path / "index", backend=backend)
    artifact.make(index, build.run)
    system = SearchIndex(type="index", path=tmp_path / "index")
    recipe = Recipe(stage="eval", data=data, out=tmp_path / "eval", system=system)
    with pytest.raises(GateFailed, match="built from another corpus"):
        artifact.make(recipe, score.run)
