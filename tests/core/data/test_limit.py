from core.data.limit import Limit
from core.formats.qrels import Judgement
from core.types import Query


def judgements(*pairs):
    return [Judgement("test", query, document, grade, "") for query, document, grade in pairs]


def taken(limit, ids):
    return [identifier for identifier in ids if limit.takes(identifier)]


ALL = [f"d{number}" for number in range(1, 10)]


def test_half_are_judged_documents_of_the_first_queries_and_the_rest_comes_in_order():
    # 6 documents: 3 judged ones (d9 and d7 of q1, best first, then d8 of q2; q3 comes too late), then d1, d2, d3
    found = judgements(("q3", "d6", 1), ("q1", "d7", 0), ("q1", "d9", 2), ("q2", "d8", 1))
    limit = Limit(6, [Query("q1", ""), Query("q2", ""), Query("q3", "")], found)
    assert taken(limit, ALL) == ["d1", "d2", "d3", "d7", "d8", "d9"]


def test_fewer_judged_documents_leave_more_room_for_others():
    limit = Limit(6, [Query("q1", "")], judgements(("q1", "d9", 1)))
    assert taken(limit, ALL) == ["d1", "d2", "d3", "d4", "d5", "d9"]


def test_a_limit_above_the_size_takes_all():
    assert taken(Limit(100, [Query("q1", "")], judgements(("q1", "d9", 1))), ALL) == ALL


def test_without_judgements_the_first_documents_are_taken():
    assert taken(Limit(3, [], []), ALL) == ["d1", "d2", "d3"]
