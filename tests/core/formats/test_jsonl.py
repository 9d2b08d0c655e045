import orjson
import pytest

from core.formats import jsonl
from core.types import Document, Query


def write(tmp_path, *rows):
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in rows))
    return path


def document(tmp_path, row):
    (found,) = jsonl.documents(write(tmp_path, row))
    return found.item


def fault(tmp_path, row, read=jsonl.documents):
    bad = []
    assert list(read(write(tmp_path, row), bad.append)) == []
    return bad[0]


@pytest.mark.parametrize("id_field", ["id", "_id", "docid"])
@pytest.mark.parametrize("text_field", ["contents", "text"])
def test_a_document_is_read_under_every_usual_name(tmp_path, id_field, text_field):
    (found,) = jsonl.documents(write(tmp_path, {id_field: "d", text_field: "t", "title": "T"}))
    assert found.item == Document("d", "t", "T")
    assert (found.id_field, found.text_field) == (id_field, text_field)


@pytest.mark.parametrize("id_field", ["id", "_id", "query_id"])
@pytest.mark.parametrize("text_field", ["text", "query", "question"])
def test_a_query_is_read_under_every_usual_name(tmp_path, id_field, text_field):
    (found,) = jsonl.queries(write(tmp_path, {id_field: "q", text_field: "t", "kind": 1}))
    assert found.item == Query("q", "t", {"kind": 1})


def test_a_structured_record_is_kept_as_fields_and_as_text(tmp_path):
    record = {
        "股票代码": "002851",
        "交易日期": "20190125",
        "行业": {"一级": "电力设备", "二级": None},
        "标签": ["a", 1.5],
    }
    found = document(tmp_path, {"id": "d", "contents": record, "source": "s"})
    assert found.text == "股票代码: 002851\n交易日期: 20190125\n行业.一级: 电力设备\n标签: a, 1.5"
    assert found.metadata == {"source": "s", **record}


def test_a_list_is_one_line_an_entry(tmp_path):
    found = document(tmp_path, {"id": "d", "contents": ["第一段。", {"净值": 1.2, "可赎回": True}]})
    assert found.text == "第一段。\n净值: 1.2\n可赎回: true"


def test_an_integer_id_becomes_its_decimal_text(tmp_path):
    assert document(tmp_path, {"id": 7, "text": "t"}).id == "7"


def test_other_fields_and_the_metadata_object_become_metadata(tmp_path):
    found = document(tmp_path, {"id": "d", "text": "t", "metadata": {"date": "2021"}, "file": "a.pdf"})
    assert found.metadata == {"date": "2021", "file": "a.pdf"}


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"text": "t"}, "missing id"),
        ({"id": "", "text": "t"}, "missing id"),
        ({"id": 1.5, "text": "t"}, "bad id"),
        ({"id": True, "text": "t"}, "bad id"),
        ({"id": None, "text": "t"}, "bad id"),
        ({"id": "a b", "text": "t"}, "bad id"),
        ({"id": "a\t", "text": "t"}, "bad id"),
        ({"id": "d"}, "missing text"),
        ({"id": "d", "text": None}, "bad text"),
        ({"id": "d", "text": {"a": 1}}, "bad text"),
        ({"id": "d", "contents": 3}, "bad text"),
        ({"id": "d", "text": "t", "title": 3}, "bad text"),
    ],
)
def test_a_document_without_a_usable_id_or_text_is_bad(tmp_path, row, reason):
    bad = fault(tmp_path, row)
    assert bad.reason == reason
    assert bad.where.endswith("rows.jsonl:1")


def test_a_missing_text_names_the_fields_that_are_there(tmp_path):
    bad = fault(tmp_path, {"id": "d", "body": "t"})
    assert "`id`, `body`" in bad.what
    assert "`contents`" in bad.hint


def test_a_query_without_text_is_bad(tmp_path):
    assert fault(tmp_path, {"id": "q", "text": " "}, jsonl.queries).reason == "empty query"
    assert fault(tmp_path, {"id": "q"}, jsonl.queries).reason == "missing text"
