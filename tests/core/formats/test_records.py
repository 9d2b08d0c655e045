import gzip

import pyarrow
import pytest
from pyarrow import parquet

from core.errors import DataError, UsageError
from core.formats import records

ROWS = [{"a": "一", "b": 1.5}, {"a": "二", "b": 2.0}]


def read(path, on_bad=None):
    return list(records.records(path, on_bad) if on_bad else records.records(path))


@pytest.mark.parametrize(("form", "place"), [("lines", "rows:2"), ("array", "rows: row 2"), ("parquet", "rows: row 2")])
def test_the_content_says_what_holds_the_rows(tmp_path, form, place):
    path = tmp_path / "rows"
    if form == "parquet":
        assert records.write_parquet(path, iter(ROWS), {"a": "string", "b": "double"}) == 2
    else:
        assert records.write(path, iter(ROWS), form) == 2
    assert records.form_inside(path) == form
    found = read(path)
    assert [row.fields for row in found] == ROWS
    assert found[1].where == str(tmp_path / place)


def test_the_name_says_what_shall_hold_the_rows(tmp_path):
    names = ["a.json", "a.parquet", "a.jsonl", "a", "a.JSON"]
    assert [records.form_named(tmp_path / name) for name in names] == ["array", "parquet", "lines", "lines", "array"]


def test_an_array_is_one_row_a_line_and_valid_when_empty(tmp_path):
    path = tmp_path / "rows.json"
    records.write(path, ROWS, "array")
    assert path.read_text() == '[\n{"a":"一","b":1.5},\n{"a":"二","b":2.0}\n]\n'
    records.write(path, [], "array")
    assert path.read_text() == "[\n\n]\n"


def test_white_space_and_a_mark_before_an_array_are_passed_over(tmp_path):
    path = tmp_path / "rows"
    path.write_bytes(b"\xef\xbb\xbf" + b" \n" * 5000 + b'[{"a": 1}]')
    assert [row.fields for row in read(path)] == [{"a": 1}]


def test_packed_rows_are_read(tmp_path):
    path = tmp_path / "rows.jsonl.gz"
    path.write_bytes(gzip.compress(b'{"a": 1}\n'))
    assert [row.fields for row in read(path)] == [{"a": 1}]


def test_an_entry_of_an_array_that_is_no_object_is_bad(tmp_path):
    path, bad = tmp_path / "rows", []
    path.write_text('[{"a": 1}, 3]')
    assert [row.fields for row in read(path, bad.append)] == [{"a": 1}]
    assert (bad[0].reason, bad[0].where) == ("not an object", f"{path}: row 2")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "empty"),
        (b"[]", "the list is empty"),
        (b'[{"a": 1}', "not valid JSON"),
        (b'[{"a": 1} {"a": 2}]', "not valid JSON"),
        (b'[{"a": "\xff"}]', "not valid JSON"),
        (b"PAR1 and then nothing", "cannot be read"),
    ],
)
def test_a_broken_file_is_told(tmp_path, content, told):
    path = tmp_path / "rows"
    path.write_bytes(content)
    with pytest.raises(DataError, match=told) as caught:
        read(path)
    assert caught.value.where == str(path)


def test_a_folder_and_a_missing_file_are_told(tmp_path):
    with pytest.raises(UsageError, match="a folder is here"):
        read(tmp_path)
    with pytest.raises(UsageError, match="no such file"):
        read(tmp_path / "absent")


def test_parquet_is_written_in_many_groups_and_opened_by_pyarrow(tmp_path):
    path, number = tmp_path / "rows.parquet", 2 * records.BATCH_ROWS + 1
    records.write_parquet(
        path, ({"a": str(place), "b": place} for place in range(number)), {"a": "string", "b": "double"}
    )
    table = parquet.read_table(path)
    assert table.schema.types == [pyarrow.string(), pyarrow.float64()]
    assert table.column("a").to_pylist() == [str(place) for place in range(number)]


def test_a_row_that_json_cannot_hold_is_told_with_its_number(tmp_path):
    with pytest.raises(DataError, match="row 2 cannot be written"):
        records.write(tmp_path / "rows", [{"a": 1}, {"a": object()}], "lines")
