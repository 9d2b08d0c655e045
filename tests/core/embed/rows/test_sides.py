"""Queries held out from training, and all that hangs together with them."""

import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import coo_array, csgraph

from core.embed.rows.judgement import Judgement, Texts
from core.embed.rows.sides import bound_together, part
from core.errors import DataError
from core.text.near import exact


def judged(query, answers, others=()):
    """Documents are given as their texts, which are their ids too."""
    known = Texts()
    return Judgement(
        query,
        f"id-{exact(query)}",
        tuple(known.answer(text, text) for text in answers),
        tuple(known.answer(text, text) for text in others),
    )


def known_by(judgements):
    """Ids, without the number of a piece, and normal forms, of all that stands on a side."""
    documents = [document for j in judgements for document in j.all()]
    texts = {exact(j.query) for j in judgements} | {exact(document.text) for document in documents}
    return texts | {document.id.partition("#")[0] for document in documents}


# Few names, so that much is shared; `a#1` and `a#2` are pieces of one document, `D` and `d.` are one text.
names = st.sampled_from(["a#1", "a#2", "b", "c", "D", "d.", "e", "f", "g", "h", "i", "j", "k"])
queries = st.lists(
    st.builds(
        judged,
        st.sampled_from([f"what is {n}" for n in range(12)] + ["What is 0?", "b"]),
        st.lists(names, min_size=1, max_size=2),
        st.lists(names, max_size=3),
    ),
    min_size=2,
    max_size=14,
)


def asked_for(judgements):
    """The same of the queries and what answers them alone."""
    return known_by([Judgement(j.query, j.query_id, j.answers, ()) for j in judgements])


@given(queries, st.floats(0.05, 0.5), st.integers(0, 5))
def test_no_text_and_no_document_stands_on_both_sides(judgements, share, seed):
    try:
        parted = part(judgements, share, seed, "here")
    except DataError as error:
        assert "hang together" in error.what or "too few queries" in error.what
        return
    shared = known_by(parted.training) & known_by(parted.held_out)
    assert not shared & asked_for(parted.held_out)
    if shared:  # then negatives stand on both sides, and none of those held out was taken away
        assert all(j in judgements for j in parted.held_out)
    assert not asked_for(parted.training) & asked_for(parted.held_out)
    answers = [(j.query, j.answers) for j in (*parted.training, *parted.held_out)]
    assert sorted(answers) == sorted((j.query, j.answers) for j in judgements)  # an answer is never left out
    queries = len({j.query_id for j in judgements})
    assert 1 <= len({j.query_id for j in parted.held_out}) <= queries // 2


@given(queries, st.integers(0, 5))
def test_the_seed_decides_the_sides(judgements, seed):
    found = []
    for _ in range(2):
        try:
            found.append(part(judgements, 0.3, seed, "here"))
        except DataError as error:
            found.append(error.what)
    assert found[0] == found[1]


@given(st.lists(st.lists(st.integers(0, 30), max_size=4), min_size=1, max_size=30))
def test_groups_are_the_connected_components(items):
    edges = [(number, len(items) + key) for number, keys in enumerate(items) for key in keys]
    rows, columns = zip(*edges, strict=True) if edges else ((), ())
    size = len(items) + 31
    _, labels = csgraph.connected_components(coo_array(([1] * len(edges), (rows, columns)), shape=(size, size)))
    expected = {}
    for number in range(len(items)):
        expected.setdefault(labels[number], []).append(number)
    assert sorted(bound_together(items)) == sorted(expected.values())


@pytest.mark.parametrize(("count", "share", "expected"), [(10, 0.05, 5), (100, 0.05, 20), (1_000, 0.05, 50)])
def test_a_share_of_the_queries_is_held_out(count, share, expected):
    # 10 * 0.05 -> 20, but at most half: 5; 100 * 0.05 = 5 -> 20; 1,000 * 0.05 = 50
    parted = part([judged(f"query {n}", [f"answer {n}"]) for n in range(count)], share, 0, "here")
    assert (len(parted.training), len(parted.held_out)) == (count - expected, expected)


def test_a_negative_of_both_sides_goes_where_it_answers_and_the_next_one_takes_its_place():
    # `shared 0` answers the first query; every query has it as its first negative, and three of its own.
    judgements = [
        judged(f"query {n}", [f"shared {n}"], [f"shared {(n + 1) % 10}", *(f"own {n} {m}" for m in range(3))])
        for n in range(10)
    ]
    parted = part(judgements, 0.3, 0, "here", most_others=2)
    training = {document.id for j in parted.training for document in j.answers}
    for j in parted.training + parted.held_out:
        side = training if j in parted.training else {d.id for h in parted.held_out for d in h.answers}
        first = f"shared {(int(j.query.split()[1]) + 1) % 10}"
        own = [f"own {j.query.split()[1]} {m}" for m in range(3)]
        assert [document.id for document in j.others] == ([first, own[0]] if first in side else own[:2])


def with_negatives(count, shared_every):
    """Queries of an answer and ten negatives; every `shared_every`th query has one that is everybody's."""
    return [
        judged(
            f"query {n}",
            [f"answer {n}"],
            ["everybody's"] * (n % shared_every == 0) + [f"own {n} {m}" for m in range(9)],
        )
        for n in range(count)
    ]


def test_a_negative_that_answers_nowhere_stays_with_what_is_held_out():
    parted = part(with_negatives(30, 1), 0.5, 0, "here")  # it costs training 1 of 10
    assert not known_by(parted.training) & known_by(parted.held_out)
    assert all("everybody's" in [document.id for document in j.others] for j in parted.held_out)


def test_negatives_stand_on_both_sides_where_much_would_be_lost(caplog):
    judgements = [judged(f"query {n}", [f"answer {n}"], ["everybody's", f"own {n}"]) for n in range(10)]
    with caplog.at_level(logging.INFO):
        parted = part(judgements, 0.3, 0, "here")
    assert all(len(j.others) == 2 for j in parted.training + parted.held_out)
    assert "else training would have 5 of 10 and the held-out queries 10 of 10" in caplog.text
    assert not known_by(parted.training) & asked_for(parted.held_out)


def test_a_held_out_answer_is_no_negative_of_the_training_whatever_that_costs():
    judgements = [
        judged(f"query {n}", [f"answer {n}"], [f"answer {m}" for m in range(10) if m != n]) for n in range(10)
    ]
    parted = part(judgements, 0.5, 0, "here")
    assert not known_by(parted.training) & asked_for(parted.held_out)
    # 5 queries each: 4 of 9 negatives answer on its own side; the held-out ones keep all
    assert {len(j.others) for j in parted.training} == {4}
    assert {len(j.others) for j in parted.held_out} == {9}


def test_queries_that_all_hang_together_are_refused():
    with pytest.raises(DataError, match="no query can be held out: 9 of 9 hang together"):
        part([judged(f"query {n}", ["the one answer"]) for n in range(9)], 0.3, 0, "here")
    with pytest.raises(DataError, match="too few queries to hold any out: 1"):
        part([judged("Query", ["a"]), judged("query?", ["b"])], 0.3, 0, "here")


def test_a_warning_tells_when_few_can_be_held_out(caplog):
    bound = [judged(f"query {n}", ["the one answer"]) for n in range(95)]
    free = [judged(f"free query {n}", [f"answer {n}"]) for n in range(5)]
    with caplog.at_level(logging.WARNING):
        parted = part([*bound, *free], 0.3, 0, "here")
    assert len(parted.held_out) == 5
    assert "only 5 of 100 queries can be held out" in caplog.text
