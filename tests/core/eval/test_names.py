import pytest

from core.eval.names import parse


@pytest.mark.parametrize(
    ("name", "ours", "theirs"),
    [
        ("ndcg@10", "ndcg@10", "nDCG@10"),
        ("map", "map", "AP"),
        ("MRR", "mrr@10", "RR@10"),
        ("mrr@100", "mrr@100", "RR@100"),
        ("Top3@accuracy", "hit@3", "Success@3"),
        ("Top5@accuracy", "hit@5", "Success@5"),
        ("recall@100", "recall@100", "R@100"),
    ],
)
def test_a_measure_has_our_name_and_theirs(name, ours, theirs):
    assert (str(parse(name)), parse(name).theirs) == (ours, theirs)


@pytest.mark.parametrize(
    ("name", "says"), [("ndgc@10", "no measure `ndgc@10`"), ("recall", "needs a cutoff"), ("ndcg@0", "no")]
)
def test_what_is_no_measure_is_said(name, says):
    with pytest.raises(ValueError, match=says):
        parse(name)
