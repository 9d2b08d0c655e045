import pytest

from core.retrieval.fusion import fuse
from core.retrieval.spec import ReciprocalRank, Weighted

LEXICAL = [(1, 10.0), (2, 5.0), (3, 0.0)]
SEMANTIC = [(3, 0.9), (4, 0.8), (1, 0.7)]


def test_weighted_fusion_by_hand():
    # min-max: lexical 1, 0.5, 0; semantic 1, 0.5, 0; alpha 0.6 on BM25
    assert dict(fuse(LEXICAL, SEMANTIC, 0.6, Weighted(), 10)) == pytest.approx({1: 0.6, 2: 0.3, 3: 0.4, 4: 0.2})


def test_reciprocal_ranks_by_hand():
    fused = dict(fuse(LEXICAL, SEMANTIC, 0.5, ReciprocalRank(type="rrf"), 10))
    assert fused == pytest.approx({1: 0.5 / 61 + 0.5 / 63, 2: 0.5 / 62, 3: 0.5 / 63 + 0.5 / 61, 4: 0.5 / 62})


@pytest.mark.parametrize("fusion", [Weighted(), ReciprocalRank(type="rrf")])
def test_a_larger_alpha_means_more_bm25(fusion):
    assert [document for document, _ in fuse(LEXICAL, SEMANTIC, 1.0, fusion, 3)] == [1, 2, 3]
    assert [document for document, _ in fuse(LEXICAL, SEMANTIC, 0.0, fusion, 3)] == [3, 4, 1]
    scores = [dict(fuse(LEXICAL, SEMANTIC, alpha, fusion, 4))[2] for alpha in (0.2, 0.5, 0.8)]
    assert scores == sorted(scores)


def test_ties_are_broken_by_number():
    assert fuse([(9, 1.0)], [(2, 1.0)], 0.5, Weighted(), 2) == [(2, 0.5), (9, 0.5)]


def test_an_empty_leg_leaves_the_other():
    assert fuse([], SEMANTIC, 0.5, Weighted(), 1) == [(3, 0.5)]
    assert fuse([], [], 0.5, Weighted(), 1) == []
