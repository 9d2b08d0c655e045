import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import DataError, UsageError
from core.formats import examples
from core.types import Example, Passage

FULL = {
    "query_id": "q1",
    "query": "基金的费率？",
    "positives": [{"id": "d1", "title": "费率", "text": "管理费为1.2%。", "score": 1.0}],
    "negatives": [{"id": "d2", "text": "今日休市。"}],
    "instruction": "找到能回答问题的段落",
    "metadata": {"type": "keywords"},
}
FULL_EXAMPLE = Example(
    "基金的费率？",
    (Passage("管理费为1.2%。", "d1", "费率", 1.0),),
    (Passage("今日休市。", "d2"),),
    "q1",
    "找到能回答问题的段落",
    {"type": "keywords"},
)


def write(tmp_path, *rows):
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in rows))
    return path


def test_the_canonical_row_is_read_and_written_field_by_field(tmp_path):
    (found,) = examples.read(write(tmp_path, FULL))
    assert found == FULL_EXAMPLE
    out = tmp_path / "out.jsonl"
    assert examples.write(out, [found]) == 1
    assert orjson.loads(out.read_bytes()) == FULL
    assert list(orjson.loads(out.read_bytes())) == list(FULL)


def test_empty_fields_are_left_out_and_only_query_and_positives_are_needed(tmp_path):
    row = {"query": "q", "positives": [{"text": "t"}]}
    (found,) = examples.read(write(tmp_path, row))
    assert found == Example("q", (Passage("t"),))
    assert examples.as_row(found) == row


def test_an_unknown_field_of_a_row_becomes_metadata(tmp_path):
    (found,) = examples.read(write(tmp_path, {"query": "q", "positives": [{"text": "t"}], "type": "yes_or_no"}))
    assert found.metadata == {"type": "yes_or_no"}


def test_an_integer_id_becomes_text(tmp_path):
    (found,) = examples.read(write(tmp_path, {"query_id": 7, "query": "q", "positives": [{"text": "t", "id": 3}]}))
    assert (found.query_id, found.positives[0].id) == ("7", "3")


@pytest.mark.parametrize(
    ("change", "reason", "named"),
    [
        ({"query": None}, "bad text", "`query`"),
        ({"query": " "}, "empty query", "`query`"),
        ({"positives": []}, "missing text", "`positives`"),
        ({"positives": "t"}, "wrong columns", "`positives`"),
        ({"positives": ["t"]}, "not an object", "`positives[0]`"),
        ({"positives": [{"text": "t"}, {"id": "d"}]}, "missing text", "`positives[1].text`"),
        ({"positives": [{"text": ""}]}, "missing text", "`positives[0].text`"),
        ({"positives": [{"text": "t", "title": 3}]}, "bad text", "`positives[0].title`"),
        ({"positives": [{"text": "t", "id": "a b"}]}, "bad id", "white space"),
        ({"positives": [{"text": "t", "score": "1"}]}, "bad grade", "`positives[0].score`"),
        ({"negatives": [{"text": "t", "rank": 1}]}, "wrong columns", "`rank`"),
        ({"negatives": {"text": "t"}}, "wrong columns", "`negatives`"),
        ({"query_id": 1.5}, "bad id", "`query_id`"),
        ({"instruction": 1}, "bad text", "`instruction`"),
        ({"metadata": []}, "wrong columns", "`metadata`"),
    ],
)
def test_a_wrong_field_is_named_with_its_place(tmp_path, change, reason, named):
    bad = []
    assert list(examples.read(write(tmp_path, FULL, FULL | change), bad.append)) == [FULL_EXAMPLE]
    assert bad[0].reason == reason
    assert named in bad[0].what
    assert bad[0].where.endswith("rows.jsonl:2")


@pytest.mark.parametrize("field", ["query", "positives"])
def test_a_missing_field_is_told_with_those_that_are_there(tmp_path, field):
    row = {name: value for name, value in FULL.items() if name != field}
    with pytest.raises(DataError, match=f"there is no `{field}`; the row has `query_id`"):
        list(examples.read(write(tmp_path, row)))


def test_a_missing_file_is_a_usage_error(tmp_path):
    with pytest.raises(UsageError, match="no such file"):
        list(examples.read(tmp_path / "absent.jsonl"))


def test_metadata_that_json_cannot_hold_is_an_error_with_the_query(tmp_path):
    with pytest.raises(DataError, match="the example of 'q' cannot be written"):
        examples.write(tmp_path / "out.jsonl", [Example("q", (Passage("t"),), metadata={"a": object()})])


texts = st.text(min_size=1)
ids = st.just("") | st.text("abc012", min_size=1, max_size=3)
passages = st.builds(
    Passage, texts, ids, st.just("") | texts, st.none() | st.floats(allow_nan=False, allow_infinity=False)
)
some = st.lists(passages, max_size=3).map(tuple)
any_examples = st.builds(
    Example,
    texts.filter(str.strip),
    st.lists(passages, min_size=1, max_size=3).map(tuple),
    some,
    ids,
    st.just("") | texts,
    st.dictionaries(st.text(max_size=4), st.integers(-9, 9) | texts, max_size=2),
)


@given(st.lists(any_examples, min_size=1, max_size=4))
def test_what_is_written_is_read_again(tmp_path_factory, items):
    path = tmp_path_factory.mktemp("examples") / "rows.jsonl"
    assert examples.write(path, items) == len(items)
    assert list(examples.read(path)) == items
