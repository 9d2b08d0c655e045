import pytest

from core.formats import table
from core.formats.rows import BadRow, Row
from core.types import Document


def test_columns_are_guessed_by_their_usual_names():
    found = table.document(Row("a:1", {"pid": 7, "title": None, "body": "text", "note": "", "date": "2024"}))
    assert found.item == Document("7", "text", "", {"date": "2024"})
    assert (found.id_field, found.text_field) == ("pid", "body")


def test_named_columns_are_used_and_the_usual_ones_are_metadata():
    row = Row("a:1", {"id": "1", "no": "2", "text": "a", "words": "b", "head": "c"})
    found = table.document(row, "no", "head", "words")
    assert found.item == Document("2", "b", "c", {"id": "1", "text": "a"})


def test_several_columns_of_text_make_a_record():
    row = Row("a:1", {"id": "1", "股票代码": "002851", "交易日期": "20190125", "备注": "", "来源": "x"})
    found = table.document(row, text=("股票代码", "交易日期", "备注"))
    assert found.item.text == "股票代码: 002851\n交易日期: 20190125"
    assert found.item.metadata == {"股票代码": "002851", "交易日期": "20190125", "来源": "x"}
    with pytest.raises(BadRow, match="there is no `价格`; the row has `id`, `股票代码`"):
        table.document(row, text=("价格",))


def test_a_judgement_is_guessed_and_without_a_grade_it_is_1():
    row = {"qid": 1, "docid": "d"}
    assert table.judgement(Row("a:1", row), "test")[:4] == ("test", "1", "d", 1)
    graded = table.judgement(Row("a:1", {**row, "rel": "2", "split": "dev"}), "test")
    assert graded[:4] == ("dev", "1", "d", 2)
    named = table.judgement(Row("a:1", {"a": "q", "b": "d", "c": 0.0}), "test", "a", "b", "c")
    assert named[:4] == ("test", "q", "d", 0)


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ({"docid": "d"}, "no id: none of `query-id`"),
        ({"qid": "q"}, "no id: none of `corpus-id`"),
        ({"qid": "q", "docid": "d", "score": 0.5}, "the grade 0.5 is not an integer"),
        ({"qid": "q", "docid": "d", "score": "high"}, "the grade 'high' is not an integer"),
        ({"qid": "q", "docid": "d", "score": None}, "the grade None is not an integer"),
        ({"qid": "q", "docid": "d e", "score": 1}, "has white space"),
    ],
)
def test_what_is_no_judgement_is_told(row, told):
    with pytest.raises(BadRow, match=told):
        table.judgement(Row("a:1", row), "test")


def test_a_named_grade_that_is_missing_is_told():
    with pytest.raises(BadRow, match="there is no `label`; the row has `qid`, `docid`"):
        table.judgement(Row("a:1", {"qid": "q", "docid": "d"}), "test", graded="label")
