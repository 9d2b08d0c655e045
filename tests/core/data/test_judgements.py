from core.data.judgements import of_pieces, queries_left_without
from core.formats.qrels import Judgement


def judgement(query, document, grade):
    return Judgement("test", query, document, grade, "")


def test_a_query_is_dropped_when_its_last_relevant_document_is_gone():
    relevant, other, zero = judgement("q1", "d1", 1), judgement("q1", "d2", 2), judgement("q1", "d3", 0)
    before = [relevant, other, zero]
    assert queries_left_without(before, [other]) == set()
    assert queries_left_without(before, [zero]) == {"q1"}
    assert queries_left_without(before, []) == {"q1"}


def test_a_query_that_never_had_a_relevant_document_is_not_dropped():
    assert queries_left_without([judgement("q1", "d1", 0)], []) == set()


def test_pieces_get_the_grade_of_their_document():
    pieces = {"d1": ["d1#1", "d1#2"], "d2": ["d2"]}
    assert of_pieces({"q": {"d1": 2, "d2": 0}}, pieces) == {"q": {"d1#1": 2, "d1#2": 2, "d2": 0}}
