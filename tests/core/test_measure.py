import random

import ir_measures
import pytest

from core import measure


def test_ndcg_by_hand():
    # gains 0, 2 at ranks 1, 2: 2 / log2(3) = 1.2619; ideal 2 / 1 + 1 / log2(3) = 2.6309
    assert measure.ndcg(["x", "a"], {"a": 2, "b": 1}, k=10) == pytest.approx(1.2619 / 2.6309, abs=1e-4)


def test_recall_counts_relevant_documents_only():
    # relevant: a, b, c; found in the first two: a -> 1/3
    assert measure.recall(["a", "x"], {"a": 1, "b": 2, "c": 1, "x": 0}, k=2) == pytest.approx(1 / 3)


def test_reciprocal_rank_and_hit_stop_at_k():
    assert measure.reciprocal_rank(["x", "y", "a"], {"a": 1}, k=3) == pytest.approx(1 / 3)
    assert measure.reciprocal_rank(["x", "y", "a"], {"a": 1}, k=2) == 0
    assert [measure.hit(["x", "y", "a"], {"a": 1}, k=k) for k in (2, 3)] == [0, 1]


def test_average_precision_by_hand():
    # relevant at ranks 1 and 3, one never found: (1/1 + 2/3) / 3
    assert measure.average_precision(["a", "x", "b"], {"a": 1, "b": 1, "c": 1}) == pytest.approx((1 + 2 / 3) / 3)


def test_all_agree_with_trec_eval():
    rng = random.Random(0)
    ids = [f"d{i}" for i in range(30)]
    ours = {
        "nDCG@10": lambda r, g: measure.ndcg(r, g, 10),
        "R@10": lambda r, g: measure.recall(r, g, 10),
        "RR@5": lambda r, g: measure.reciprocal_rank(r, g, 5),
        "Success@3": lambda r, g: measure.hit(r, g, 3),
        "AP": measure.average_precision,
    }
    for _ in range(50):
        ranking = rng.sample(ids, 20)
        grades = {id_: rng.choice([-1, 0, 1, 2, 3]) for id_ in rng.sample(ids, 12)}
        run = {"q": {id_: float(-rank) for rank, id_ in enumerate(ranking)}}
        for name, mine in ours.items():
            theirs = ir_measures.parse_measure(name)
            expected = ir_measures.calc_aggregate([theirs], {"q": grades}, run)[theirs]
            assert mine(ranking, grades) == pytest.approx(expected, abs=1e-6), name
