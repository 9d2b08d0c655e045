"""Mining as a stage: artifacts in, examples out; beside two other implementations of it."""

import json
import logging
import math
import random
from collections import Counter

import numpy as np
import pytest

from core import artifact
from core.distill.mine import run
from core.distill.mine.recipe import Limits, Recipe, Window
from core.errors import ContractError, GateFailed, UsageError
from core.formats import beir, examples
from core.index import build
from core.index.recipe import Recipe as IndexRecipe
from core.recipe import ArtifactRecipe
from core.retrieval.spec import Bm25, Dense, Hybrid
from core.text.spec import Whitespace
from core.types import Document, Query

BM25 = Bm25(analyzer=Whitespace(type="whitespace"))
FREE = Limits()


def artifacts(home, documents, queries, qrels, backend=BM25, indexed=None):
    """A data artifact and an index of its documents, or of others."""

    def fill(corpus):
        def write(recipe, work):
            beir.write_documents(work.path, corpus)
            beir.write_queries(work.path, queries)
            beir.write_qrels(work.path, "train", qrels)

        return write

    artifact.make(ArtifactRecipe(stage="data", out=home / "data"), fill(documents))
    source = home / "data"
    if indexed:
        source = home / "other"
        artifact.make(ArtifactRecipe(stage="data", out=source), fill(indexed))
    artifact.make(IndexRecipe(stage="index", data=source, out=home / "index", backend=backend), build.run)
    return home


def mine(home, name="mined", **fields):
    """Run the stage; its examples by query id, and its report."""
    recipe = Recipe(stage="mine", queries=home / "data", index=home / "index", out=home / name, **fields)
    artifact.make(recipe, run.run)
    rows = {example.query_id: example for example in examples.read(home / name / "train.jsonl")}
    return rows, json.loads((home / name / "report.json").read_text())


def ids(passages):
    return [passage.id for passage in passages]


@pytest.fixture(scope="module")
def made():
    """300 documents of a small vocabulary, 60 queries with one to three positives that share words with them."""
    rng = random.Random(5)
    words = [f"w{n}" for n in range(60)]
    texts = [rng.choices(words, [1 / (n + 3) for n in range(60)], k=rng.randint(5, 25)) for _ in range(300)]
    documents = [Document(f"d{n:03}", " ".join(text)) for n, text in enumerate(texts)]
    qrels, queries = {}, []
    for n in range(60):
        positives = rng.sample(range(300), rng.choice([1, 1, 1, 2, 3]))
        qrels[f"q{n}"] = {f"d{p:03}": 1 for p in positives}
        queries.append(Query(f"q{n}", " ".join(rng.sample(texts[positives[0]], 4))))
    return documents, queries, qrels


@pytest.fixture(scope="module")
def home(made, tmp_path_factory):
    return artifacts(tmp_path_factory.mktemp("mine"), *made)


def bm25_matrix(documents, queries, k1=0.9, b=0.6):
    """[Q, D] scores by the formula, over dense matrices of counts."""
    vocabulary = sorted({word for document in documents for word in document.text.split()})
    tf_DT = np.array([[Counter(document.text.split())[word] for word in vocabulary] for document in documents], float)
    tf_QT = np.array([[Counter(query.text.split())[word] for word in vocabulary] for query in queries], float)
    lengths_D, df_T = tf_DT.sum(1), (tf_DT > 0).sum(0)
    idf_T = np.log(1 + (len(documents) - df_T + 0.5) / (df_T + 0.5))
    weight_DT = idf_T * tf_DT / (tf_DT + (k1 * (1 - b + b * lengths_D / lengths_D.mean()))[:, None])
    return tf_QT @ weight_DT.T


@pytest.mark.parametrize(
    ("window", "limits"),
    [
        (Window(skip=0, depth=20), FREE),
        (Window(skip=3, depth=50), Limits(relative_margin=0.05)),
        (Window(skip=1, depth=300), Limits(absolute_margin=1.0, max_score=4.0)),
    ],
)
def test_the_hard_negatives_are_those_of_brute_force(made, home, window, limits, tmp_path):
    documents, queries, qrels = made
    scores_QD = bm25_matrix(documents, queries)
    rows, report = mine(home, f"brute-{window.depth}", hard=4, window=window, limits=limits, on_shortage="fewer")
    for query, scores_D in zip(queries, scores_QD, strict=True):
        order = [d for d in np.lexsort((np.arange(300), -scores_D.round(5)))[: window.depth] if scores_D[d] > 0]
        positives = [int(id_[1:]) for id_ in qrels[query.id]]
        low = min(scores_D[p] if p in order else -math.inf for p in positives)
        bound = math.inf
        if limits.relative_margin is not None:
            bound = min(bound, low * (1 - limits.relative_margin))
        if limits.absolute_margin is not None:
            bound = min(bound, low - limits.absolute_margin)
        allowed = [
            d
            for d in order[window.skip :]
            if d not in positives and scores_D[d] < bound and scores_D[d] <= (limits.max_score or math.inf)
        ]
        hard = [passage for passage in rows[query.id].negatives if passage.score is not None]
        assert [passage.score for passage in hard] == pytest.approx(scores_D[allowed[:4]].tolist(), abs=1e-4)
        assert ids(hard) == [f"d{d:03}" for d in allowed[:4]]
    assert report["negatives"]["hard"] > 60


def test_a_dense_index_gives_what_sentence_transformers_mines(static_model, tmp_path):
    from datasets import Dataset
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.util import mine_hard_negatives

    rng = random.Random(2)
    texts = list({"".join(rng.choices("abcdefghijklmnopqrst", k=12)) for _ in range(80)})
    documents = [Document(f"d{n:02}", text) for n, text in enumerate(texts)]
    queries = [Query(f"q{n}", "".join(rng.choices(texts[n], k=6))) for n in range(20)]
    dense = Dense(type="dense", model=str(static_model))
    artifacts(tmp_path, documents, queries, {f"q{n}": {f"d{n:02}": 1} for n in range(20)}, dense)
    fields = {"hard": 3, "easy": 0, "window": Window(skip=0, depth=40), "on_shortage": "fewer"}
    rows, _ = mine(tmp_path, limits=Limits(relative_margin=0.05), **fields)
    theirs = mine_hard_negatives(
        Dataset.from_dict({"query": [query.text for query in queries], "answer": texts[:20]}),
        SentenceTransformer(str(static_model)),
        corpus=texts,
        range_max=40,
        num_negatives=3,
        relative_margin=0.05,
        output_format="n-tuple",
        verbose=False,
    )
    full = {row["query"]: [row[f"negative_{n}"] for n in (1, 2, 3)] for row in theirs}
    assert len(full) > 5
    for row in rows.values():
        found = [passage.text for passage in row.negatives]
        assert full.get(row.query) == (found if len(found) == 3 else None)  # theirs leaves short ones out


def test_a_hybrid_index_answers_by_each_of_its_ways(static_model, made, tmp_path):
    documents, queries, qrels = made
    spec = Hybrid(type="hybrid", bm25=BM25, dense=Dense(type="dense", model=str(static_model)))
    artifacts(tmp_path, documents, queries[:9], {q: qrels[q] for q in list(qrels)[:9]}, spec)
    by = {way: mine(tmp_path, way, method=way)[1]["hard_scores"] for way in ("bm25", "dense", "hybrid")}
    assert by["bm25"]["max"] > 1 >= by["dense"]["max"]
    assert by["hybrid"] == mine(tmp_path, "own")[1]["hard_scores"]


def test_the_result_does_not_depend_on_how_many_queries_are_searched_at_once(home):
    for choose in ("top", "random"):
        for size in (1, 7, 512):
            mine(home, f"{choose}-{size}", batch_size=size, choose=choose, window=Window(depth=30))
        files = [(home / f"{choose}-{size}" / "train.jsonl").read_bytes() for size in (1, 7, 512)]
        reports = [(home / f"{choose}-{size}" / "report.json").read_bytes() for size in (1, 7, 512)]
        assert len(set(files)) == len(set(reports)) == 1


def test_the_seed_decides_what_is_drawn_and_only_that(home):
    one, _ = mine(home, "seed-1", seed=1)
    two, _ = mine(home, "seed-2", seed=2)
    for id_, row in one.items():
        assert [p for p in row.negatives if p.score] == [p for p in two[id_].negatives if p.score]
    assert sum(row.negatives[2:] != two[id_].negatives[2:] for id_, row in one.items()) > 50


def test_random_choice_reaches_the_whole_window(home):
    _, top = mine(home, "reach-top", limits=FREE, window=Window(skip=3, depth=40))
    _, drawn = mine(home, "reach-random", choose="random", limits=FREE, window=Window(skip=3, depth=40))
    assert top["hard_ranks"]["max"] <= 3 + 2 + 3
    assert drawn["hard_ranks"]["min"] == 4
    assert drawn["hard_ranks"]["max"] >= 38


def test_what_is_asked_for_is_there_and_nothing_forbidden(made, home):
    rows, report = mine(home)
    _, _, qrels = made
    for id_, row in rows.items():
        found = ids(row.negatives)
        assert len(found) == len(set(found)) == 4
        assert not set(found) & qrels[id_].keys()
        assert ids(row.positives) == list(qrels[id_])
    assert report["negatives"]["hard"] + report["negatives"]["easy"] == 4 * 60
    assert report["shortage"]["filled_with_easy"] == report["negatives"]["easy"] - 2 * 60
    assert report["shortage"]["queries_still_short"] == 0


@pytest.fixture
def copies(tmp_path):
    """A positive `a#1`, its neighbour `a#2`, copies of it and of the query, two equal documents, and two others."""
    texts = {"same": "Fund  VALUE ｒｏｓｅ", "query": "fund value", "b": "fund value b", "b2": "fund value  B"}
    documents = [
        Document("a#1", "fund value rose", metadata={"chunk_of": "a"}),
        Document("a#2", "fund value fell", metadata={"chunk_of": "a"}),
        *(Document(id_, text) for id_, text in texts.items()),
        Document("c", "fund value c x y z"),
        Document("other", "nothing of it"),
    ]
    return artifacts(tmp_path, documents, [Query("q", "fund value")], {"q": {"a#1": 1, "other": 0}})


def test_copies_and_pieces_of_the_positive_are_no_negatives(copies):
    rows, report = mine(copies, hard=9, easy=0, limits=FREE, window=Window(skip=0), on_shortage="fewer")
    assert set(ids(rows["q"].negatives)) == {"b", "c"}
    # "same" shares no term of the query under an analyzer that keeps case: it is no hit
    assert report["hits"]["removed"] == {"judged positive": 1, "same text": 1, "same source": 1, "repeated text": 1}
    assert report["shortage"]["hard_missing"] == 7


def test_easy_negatives_keep_the_same_rules(copies):
    rows, report = mine(copies, hard=0, easy=9, window=Window(skip=0), limits=FREE)
    assert set(ids(rows["q"].negatives)) in ({"b", "c", "other"}, {"b2", "c", "other"})
    assert report["easy_removed"] == {"same text": 2, "same source": 1, "repeated text": 1}
    assert report["shortage"]["queries_still_short"] == 1


def test_a_removed_hit_does_not_come_back_as_an_easy_one(copies):
    # A margin removes each hit: only what is no hit is left to draw.
    rows, _ = mine(copies, hard=0, easy=9, window=Window(skip=0), limits=Limits(absolute_margin=99))
    assert ids(rows["q"].negatives) == ["other"]


@pytest.mark.parametrize("on_shortage", ["fewer", "easy"])
def test_a_shortage_is_counted_and_told(home, caplog, on_shortage):
    with caplog.at_level(logging.WARNING):
        rows, report = mine(home, f"short-{on_shortage}", on_shortage=on_shortage, limits=Limits(absolute_margin=4.0))
    short, missing = report["shortage"]["queries_short_of_hard"], report["shortage"]["hard_missing"]
    assert short > 5
    filled = missing if on_shortage == "easy" else 0
    assert report["shortage"]["filled_with_easy"] == filled
    assert f"{short} of 60 queries have too few hard negatives: {missing} are missing, {filled} filled" in caplog.text
    assert sum(4 - len(row.negatives) for row in rows.values()) == missing - filled


def test_a_shortage_stops_the_work_where_the_recipe_says_so(home):
    with pytest.raises(GateFailed, match=r"query `q\d+` has \d hard and 2 easy negatives, 2 and 2 are wanted"):
        mine(home, "stops", on_shortage="fail", limits=Limits(absolute_margin=4.0))
    assert not (home / "stops").exists()


def test_a_positive_that_the_index_does_not_find_leaves_no_hit_below_it(tmp_path):
    documents = [Document(f"d{n}", f"fund value {n}") for n in range(8)] + [Document("far", "rain")]
    artifacts(tmp_path, documents, [Query("q", "fund value")], {"q": {"far": 1}})
    rows, report = mine(
        tmp_path, window=Window(skip=0), limits=Limits(absolute_margin=0.0), on_shortage="fewer", easy=0
    )
    assert rows["q"].negatives == ()
    assert rows["q"].positives[0].score is None
    assert report["queries_with_a_positive_outside_the_hits"] == 1
    assert report["hits"]["removed"] == {"margin": 8}
    assert report["shortage"]["queries_without_negatives"] == 1


def test_judgements_of_another_collection_are_refused_before_any_search(tmp_path):
    documents = [Document("d1", "fund value"), Document("d2", "fund")]
    others = [Document("x1", "fund value"), Document("x2", "fund")]
    artifacts(tmp_path, documents, [Query("q", "fund")], {"q": {"d1": 1}}, indexed=others)
    with pytest.raises(ContractError, match=r"none of the 1 judged documents is in the index \(0 %\)") as error:
        mine(tmp_path)
    assert error.value.exit_code == 4
    assert "'d1'" in error.value.hint


def test_judgements_without_their_queries_are_refused(tmp_path):
    documents = [Document("d1", "fund value"), Document("d2", "fund")]
    artifacts(tmp_path, documents, [Query("p", "fund")], {"q": {"d1": 1}})
    with pytest.raises(ContractError, match=r"no query of the judgements of `train` is in queries.jsonl \(0 %\)"):
        mine(tmp_path)


def test_a_split_without_an_answer_and_an_unknown_split_are_refused(tmp_path):
    artifacts(tmp_path, [Document("d1", "fund")], [Query("q", "fund")], {"q": {"d1": 0}})
    with pytest.raises(ContractError, match="no judgement has a grade above 0"):
        mine(tmp_path)
    with pytest.raises(UsageError, match="there is no split `test`"):
        mine(tmp_path, split="test")


def test_what_is_missing_in_part_is_counted_and_told(tmp_path, caplog):
    documents = [Document(f"d{n}", f"fund value {n}") for n in range(9)]
    queries = [Query("q1", "fund 1"), Query("q2", "fund 2")]
    qrels = {"q1": {"d1": 1, "d3": 1}, "q2": {"d2": 1}, "q3": {"d4": 1}}
    artifacts(tmp_path, documents, queries, qrels, indexed=[d for d in documents if d.id not in {"d2", "d3"}])
    rows, report = mine(tmp_path, hard=1, easy=1)
    assert rows.keys() == {"q1"}
    assert ids(rows["q1"].positives) == ["d1"]
    assert report["positives"] == {"judged": 4, "not_in_index": 2, "of_unknown_queries": 1}
    assert report["queries_without_positive_in_index"] == 1
    assert "2 judged documents (50.0 %) are not in the index" in caplog.text
    assert "1 judgements (25.0 %) are of queries that are not in queries.jsonl" in caplog.text
    assert "the index was built from another corpus" in caplog.text


def test_pieces_of_a_judged_document_that_the_index_has_only_in_pieces_are_no_negatives(tmp_path):
    whole = [Document("a", "fund value"), Document("b", "fund rate"), Document("c", "fund rain")]
    pieces = [Document(f"a#{n}", f"fund value {n}", metadata={"chunk_of": "a"}) for n in (1, 2)]
    artifacts(tmp_path, whole, [Query("q", "fund value")], {"q": {"a": 1, "b": 1}}, indexed=[*pieces, *whole[1:]])
    rows, report = mine(tmp_path, window=Window(skip=0), limits=FREE)
    assert ids(rows["q"].negatives) == ["c"]
    assert report["hits"]["removed"]["same source"] == 2


def test_texts_titles_and_metadata_come_along(tmp_path):
    documents = [Document("d1", "fund value", "Report"), Document("d2", "", "fund only"), Document("d3", "rain")]
    queries = [Query("q", "fund value", {"type": "keywords"})]
    artifacts(tmp_path, documents, queries, {"q": {"d1": 1}})
    rows, _ = mine(tmp_path, hard=1, easy=1, window=Window(skip=0))
    (positive,), (hard, easy) = rows["q"].positives, rows["q"].negatives
    assert (positive.text, positive.title) == ("fund value", "Report")
    assert (hard.text, hard.title) == ("fund only", "")  # a title without a text is the text
    assert (easy.text, easy.score) == ("rain", None)
    assert rows["q"].metadata == {"type": "keywords"}


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"hard": 0, "easy": 0}, "nothing to mine"),
        ({"window": {"skip": 5, "depth": 5}}, "no rank is left"),
        ({"hard": 9, "reranker": {"model": "m", "candidates": 3}}, "fewer than `hard`: 9"),
    ],
)
def test_a_recipe_that_cannot_give_anything_is_refused(fields, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        Recipe(stage="mine", queries=tmp_path, index=tmp_path, out=tmp_path / "out", **fields)
