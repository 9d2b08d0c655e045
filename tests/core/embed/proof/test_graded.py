import random

import ir_measures
import numpy as np
import pytest
from sentence_transformers import SentenceTransformer

from core.embed.proof import graded
from core.embed.rows.row import Row
from core.errors import DataError
from core.retrieval.encoder import open_encoder
from core.retrieval.spec import Dense


def pairs(num_queries, num_documents):
    """One pair a row, grades in tenths."""
    rng = random.Random(2)

    def text():
        return "".join(rng.choices("abcdefghij", k=7))

    return [
        Row(query, (text(),), f"q{n}", (f"q{n}-d{m}",), (rng.randrange(11) / 10,))
        for n, query in enumerate(text() for _ in range(num_queries))
        for m in range(num_documents)
    ]


def scores(model, rows):
    return graded.Prepared(rows).scores(open_encoder(Dense(type="dense", model=str(model))))


def test_all_measures_are_those_of_trec_eval(static_model):
    rows = pairs(25, 14)
    model = SentenceTransformer(str(static_model), device="cpu")
    run, grades, relevant = {}, {}, {}
    for row in rows:
        query, document = model.encode([row.query, row.documents[0]], normalize_embeddings=True)
        run.setdefault(row.query_id, {})[row.document_ids[0]] = float(query @ document)
        # trec_eval takes whole grades; its gain is linear, so ten times the grade gives the same nDCG
        grades.setdefault(row.query_id, {})[row.document_ids[0]] = round(10 * row.labels[0])
        relevant.setdefault(row.query_id, {})[row.document_ids[0]] = int(row.labels[0] >= 0.5)
    found = scores(static_model, rows).means
    for name, theirs, judged in [
        ("ndcg@1", ir_measures.nDCG @ 1, grades),
        ("ndcg@5", ir_measures.nDCG @ 5, grades),
        ("ndcg@10", ir_measures.nDCG @ 10, grades),
        ("mrr", ir_measures.RR, relevant),
        ("map", ir_measures.AP, relevant),
    ]:
        assert found[name] == pytest.approx(ir_measures.calc_aggregate([theirs], judged, run)[theirs], abs=1e-6), name


def test_ndcg_of_fractions_by_hand(hand_made):
    # cosine ranks b (rel 0.3) before a (rel 0.9): (0.3 + 0.9 / log2(3)) / (0.9 + 0.3 / log2(3))
    model = hand_made({"q": [1.0, 0.0], "a": [0.5, 0.5], "b": [1.0, 0.1]})
    row = Row("q", ("a", "b"), "q", ("a", "b"), (0.9, 0.3))
    log3 = np.log2(3)
    prepared = graded.Prepared([row])
    assert prepared.ndcg(model) == pytest.approx((0.3 + 0.9 / log3) / (0.9 + 0.3 / log3))
    assert prepared.ndcg(model, k=1) == pytest.approx(0.3 / 0.9)


def test_many_documents_a_row_and_one_a_row_are_the_same(static_model):
    single = pairs(8, 5)
    together = [
        Row(
            query=of[0].query,
            documents=tuple(row.documents[0] for row in of),
            query_id=of[0].query_id,
            document_ids=tuple(row.document_ids[0] for row in of),
            labels=tuple(row.labels[0] for row in of),
        )
        for of in (single[start : start + 5] for start in range(0, 40, 5))
    ]
    assert scores(static_model, single).by_query == scores(static_model, together).by_query


def test_queries_that_say_nothing_are_counted_and_left_out(static_model):
    alone = Row("a", ("b",), "alone", ("1",), (1.0,))
    equal = Row("a", ("b", "c"), "equal", ("1", "2"), (0.5, 0.5))
    prepared = graded.Prepared([alone, equal, *pairs(3, 4)])
    assert (len(prepared), prepared.silent) == (3, 2)
    none = graded.Prepared([alone, equal])
    assert (len(none), none.silent) == (0, 2)
    assert none.ndcg(SentenceTransformer(str(static_model), device="cpu")) is None


def test_mrr_and_map_are_of_queries_with_a_relevant_document(static_model):
    low = Row("a", ("b", "c"), "low", ("1", "2"), (0.1, 0.4))
    high = Row("a", ("a", "c"), "high", ("1", "2"), (0.5, 0.4))
    by_query = scores(static_model, [low, high]).by_query
    assert list(by_query["ndcg@10"]) == ["low", "high"]
    assert by_query["mrr"] == by_query["map"] == {"high": 1.0}


def test_ties_are_broken_by_id(static_model):
    rows = [Row("a", ("b", "b"), "q", ids, (1.0, 0.0)) for ids in [("1", "2"), ("2", "1")]]
    assert [scores(static_model, [row]).means["ndcg@1"] for row in rows] == [1, 0]


def test_a_row_without_labels_is_refused():
    with pytest.raises(DataError, match="no `rel`"):
        graded.Prepared([Row("a", ("b",), "q1", ("1",))])
