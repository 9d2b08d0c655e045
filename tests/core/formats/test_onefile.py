import gzip
import json

import pytest

from core.errors import DataError, UsageError
from core.formats import onefile
from core.types import Document, Query

WHOLE = {
    "qrels": {"q1": {"d1": 1, "d2": 0}, "q2": {"d2": 3}},
    "queries": [{"id": "q1", "text": "问"}, {"id": 2, "text": "b"}],
    "corpus": [{"id": "d1", "title": "标题", "text": "a"}, {"id": "d2", "text": "b", "score": 1.5}],
}


def write(tmp_path, value, head=b""):
    path = tmp_path / "one.json"
    path.write_bytes(head + (value if isinstance(value, bytes) else json.dumps(value).encode()))
    return path


@pytest.mark.parametrize("head", [b"", b"\xef\xbb\xbf", b"\n  "])
def test_all_three_parts_are_read_in_whatever_order_they_stand(tmp_path, head):
    path = write(tmp_path, WHOLE, head)
    assert [found.item for found in onefile.documents(path)] == [
        Document("d1", "a", "标题"),
        Document("d2", "b", metadata={"score": 1.5}),
    ]
    assert [found.item for found in onefile.queries(path)] == [Query("q1", "问"), Query("2", "b")]
    assert [judgement[:4] for judgement in onefile.judgements(path)] == [
        ("test", "q1", "d1", 1),
        ("test", "q1", "d2", 0),
        ("test", "q2", "d2", 3),
    ]


def test_judgements_may_be_missing(tmp_path):
    assert list(onefile.judgements(write(tmp_path, {"corpus": []}))) == []


def test_bad_entries_are_told_with_their_place(tmp_path):
    corpus = ["text", {"text": "t"}, {"id": "d"}, {"id": "d", "text": "t"}]
    path, bad = write(tmp_path, {"corpus": corpus}), []
    assert [found.item.id for found in onefile.documents(path, bad.append)] == ["d"]
    assert [row.reason for row in bad] == ["not an object", "missing id", "missing text"]
    assert [row.where for row in bad] == [f"{path}: corpus[{number}]" for number in (0, 1, 2)]


def test_bad_grades_are_told_with_their_place(tmp_path):
    path, bad = write(tmp_path, {"qrels": {"q1": {"d1": "1", "d2": True, "d3": 1}, "q2": ["d1"]}}), []
    assert [judgement.document_id for judgement in onefile.judgements(path, bad.append)] == ["d3"]
    assert [(row.reason, row.where.removeprefix(f"{path}: ")) for row in bad] == [
        ("bad grade", "qrels.q1.d1"),
        ("bad grade", "qrels.q1.d2"),
        ("not an object", "qrels.q2"),
    ]


def test_a_missing_part_is_told_with_those_that_are_there(tmp_path):
    with pytest.raises(DataError, match="there is no `corpus`; the file has `documents`, `queries`"):
        list(onefile.documents(write(tmp_path, {"documents": [], "queries": []})))


@pytest.mark.parametrize("corpus", [[], {}, "text"])
def test_a_part_without_entries_is_an_error(tmp_path, corpus):
    with pytest.raises(DataError, match="not a list with entries"):
        list(onefile.documents(write(tmp_path, {"corpus": corpus})))


def test_broken_json_and_wrong_encodings_are_errors_in_words(tmp_path):
    with pytest.raises(DataError, match="not valid JSON"):
        list(onefile.documents(write(tmp_path, b'{"corpus": [{"id": "d"')))
    with pytest.raises(DataError) as raised:
        list(onefile.documents(write(tmp_path, '{"corpus": [{"id": "基金"}]}'.encode("gb18030"))))
    assert "iconv" in raised.value.hint


def test_a_file_of_rows_is_sent_to_the_right_source(tmp_path):
    with pytest.raises(DataError) as raised:
        list(onefile.documents(write(tmp_path, b'{"id": 1}\n{"id": 2}\n')))
    assert "type: jsonl" in raised.value.hint


def test_an_absent_file_and_a_folder_are_told_apart(tmp_path):
    with pytest.raises(UsageError, match="no such file"):
        list(onefile.documents(tmp_path / "absent.json"))
    with pytest.raises(UsageError, match="a folder is here"):
        list(onefile.documents(tmp_path))


@pytest.mark.parametrize("qrels", [[{"query": "q1"}], "q1", 3])
def test_judgements_of_another_shape_are_not_passed_over(tmp_path, qrels):
    path = write(tmp_path, {"queries": [], "corpus": [], "qrels": qrels})
    with pytest.raises(DataError, match="`qrels` is not an object of queries"):
        list(onefile.judgements(path))


def test_a_packed_file_is_unpacked_as_it_is_read(tmp_path):
    path = tmp_path / "a.json.gz"
    path.write_bytes(gzip.compress(json.dumps({"corpus": [{"id": "d", "text": "t"}]}).encode()))
    assert [found.item for found in onefile.documents(path)] == [Document("d", "t")]
