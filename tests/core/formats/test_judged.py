import pytest

from core.formats import judged
from core.formats.rows import BadRow, Row
from core.types import Query

BASE = {"query_id": "q1", "query": "what"}


def grades(**fields):
    return [found[1:4] for found in judged.judgements(Row("a:1", {**BASE, **fields}), "train")]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"relevant_docs": ["d1", 2]}, [("q1", "d1", 1), ("q1", "2", 1)]),
        ({"qrels": {"d1": 2, "d3": 0}}, [("q1", "d1", 2), ("q1", "d3", 0)]),
        ({"documents": ["d1", "d3"], "labels": [2, 0]}, [("q1", "d1", 2), ("q1", "d3", 0)]),
        ({"relevant": [{"doc_id": "d1", "grade": 3}, {"id": "d2"}]}, [("q1", "d1", 3), ("q1", "d2", 1)]),
        ({"positive_passages": [{"docid": "d1", "text": "t", "score": 0.7}]}, [("q1", "d1", 1)]),
        ({"positive_document_ids": "d1", "negative_document_ids": ["d2"]}, [("q1", "d1", 1)]),
        ({"relevant_docs": None}, []),
        ({}, []),
    ],
)
def test_the_documents_of_a_query_are_read_in_every_form(fields, expected):
    assert grades(**fields) == expected


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"documents": ["d1"], "labels": [1, 0]}, "`documents` has 1 documents, and their grades are 2"),
        ({"relevant": ["d 1"]}, "has white space"),
        ({"relevant": [{"text": "t"}]}, "no id"),
        ({"qrels": {"d1": "yes"}}, "the grade 'yes' is not an integer"),
        ({"relevant": [None]}, "neither text nor an integer"),
    ],
)
def test_what_names_no_document_is_told(fields, told):
    with pytest.raises(BadRow, match=told):
        grades(**fields)


def test_a_query_keeps_its_other_fields_as_metadata():
    row = Row("a:1", {**BASE, "relevant": ["d"], "negatives": ["x"], "labels": [1], "topic": "tax"})
    assert judged.query(row).item == Query("q1", "what", {"topic": "tax"})


def test_passages_that_a_row_holds_are_documents():
    rows = {
        "positive_passages": [{"docid": "d1", "title": "T", "text": "t"}],
        "negative_passages": [{"docid": 2, "text": "n"}],
    }
    found = list(judged.passages(Row("a:1", {**BASE, **rows})))
    assert [(item.id, item.title, item.text) for item, *_ in found] == [("d1", "T", "t"), ("2", "", "n")]
    assert found[1].where == "a:1: negative_passages[0]"
