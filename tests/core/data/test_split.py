import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from core.data.recipe import Split
from core.data.split import bound_together, deal
from core.errors import DataError

QRELS = st.dictionaries(
    st.integers(0, 30).map(lambda n: f"q{n}"),
    st.dictionaries(st.integers(0, 30).map(lambda n: f"d{n}"), st.integers(0, 2), min_size=1, max_size=4),
    min_size=1,
)


def one_each(count):
    return {f"q{number:03}": {f"d{number:03}": 1} for number in range(count)}


@pytest.mark.parametrize("by", ["query", "document"])
def test_shares_are_kept(by):
    dealt = deal(one_each(100), Split(by=by, train=0.7, dev=0.2, test=0.1), seed=0)
    assert {name: len(qrels) for name, qrels in dealt.items()} == {"train": 70, "dev": 20, "test": 10}


def test_every_judgement_is_dealt_once():
    qrels = one_each(20)
    dealt = deal(qrels, Split(by="query"), seed=3)
    assert {query: judged for part in dealt.values() for query, judged in part.items()} == qrels
    assert sum(map(len, dealt.values())) == 20


def test_the_seed_decides():
    first, again, other = (deal(one_each(50), Split(), seed=seed) for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_large_groups_are_dealt_before_small_ones_so_that_shares_come_out():
    # five queries of one document and five of their own: half each is possible, and found whatever the seed
    qrels = {f"a{n}": {"d": 1} for n in range(5)} | one_each(5)
    for seed in range(10):
        dealt = deal(qrels, Split(train=0.5, dev=0, test=0.5), seed)
        assert {name: len(part) for name, part in dealt.items()} == {"train": 5, "test": 5}


def test_a_share_of_zero_makes_no_split():
    assert list(deal(one_each(10), Split(train=0.5, dev=0, test=0.5), seed=0)) == ["train", "test"]


def test_queries_of_one_relevant_document_stay_together():
    # a-b share d1, b-c share d2 (relevant to c only); e and f share d9, which is relevant to nobody
    qrels = {"a": {"d1": 1}, "b": {"d1": 1, "d2": 0}, "c": {"d2": 1}, "e": {"d9": 0, "d5": 1}, "f": {"d9": 0}}
    assert sorted(map(sorted, bound_together(qrels))) == [["a", "b", "c"], ["e"], ["f"]]


@settings(deadline=None)
@given(QRELS)
def test_the_groups_are_the_connected_components_that_scipy_finds(qrels):
    relevant = {d for judged in qrels.values() for d, grade in judged.items() if grade}
    queries, documents = list(qrels), sorted(relevant)
    edges = [(queries.index(q), len(queries) + documents.index(d)) for q in queries for d in qrels[q] if d in relevant]
    size = len(queries) + len(documents)
    rows, columns = zip(*edges, strict=True) if edges else ((), ())
    _, labels = connected_components(coo_array(([1] * len(edges), (rows, columns)), shape=(size, size)), directed=False)
    expected = {}
    for query, label in zip(queries, labels, strict=False):
        expected.setdefault(int(label), set()).add(query)
    assert {frozenset(group) for group in bound_together(qrels)} == {frozenset(group) for group in expected.values()}


@settings(deadline=None, max_examples=50)
@given(QRELS, st.integers(0, 5))
def test_no_document_relevant_in_one_split_is_judged_in_another(qrels, seed):
    try:
        dealt = deal(qrels, Split(by="document", train=0.5, dev=0, test=0.5), seed)
    except DataError:
        assert len(bound_together(qrels)) == 1
        return
    for one, other in (("train", "test"), ("test", "train")):
        relevant = {d for judged in dealt[one].values() for d, grade in judged.items() if grade > 0}
        assert not relevant & {d for judged in dealt[other].values() for d in judged}


def test_a_split_that_gets_no_query_is_an_error():
    with pytest.raises(DataError, match="the split `test` gets no query: 4 are judged, 1 of them"):
        deal(one_each(4), Split(by="query"), seed=0)
    bound = {f"q{number}": {"d": 1} for number in range(50)}
    with pytest.raises(DataError, match="50 of them hang together"):
        deal(bound, Split(by="document"), seed=0)


def test_the_order_of_the_queries_does_not_change_where_they_go():
    qrels = one_each(30)
    shuffled = dict(random.Random(0).sample(list(qrels.items()), len(qrels)))
    assert deal(qrels, Split(), seed=0) == deal(shuffled, Split(), seed=0)
