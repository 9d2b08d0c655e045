import csv
import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import DataError, UsageError
from core.formats import delimited
from core.formats.rows import BadRow


def write(tmp_path, data, name="a.csv"):
    (tmp_path / name).write_bytes(data if isinstance(data, bytes) else data.encode())
    return tmp_path / name


def read(path, **more):
    return [(row.where.rpartition(":")[2], row.fields) for row in delimited.rows(path, **more)]


def test_rows_have_the_line_on_which_they_begin(tmp_path):
    path = write(tmp_path, b'\xef\xbb\xbf"id", text \r\n1,"one\r\n\r\ntwo"\r\n\r\n2,"say ""so"""\r\n')
    assert read(path) == [
        ("2", {"id": "1", "text": "one\r\n\r\ntwo"}),
        ("6", {"id": "2", "text": 'say "so"'}),
    ]


def test_tabs_part_the_cells_of_tsv_files_and_any_character_those_of_others(tmp_path):
    assert read(write(tmp_path, "id\ttext\n1\ta,b\n", "a.tsv")) == [("2", {"id": "1", "text": "a,b"})]
    assert read(write(tmp_path, "id;text\n1;a,b\n"), delimiter=";") == [("2", {"id": "1", "text": "a,b"})]


def test_a_long_cell_is_read(tmp_path):
    assert read(write(tmp_path, "id,text\n1," + "x" * 500_000))[0][1]["text"] == "x" * 500_000


def test_bad_rows_are_told_with_their_line_and_the_others_are_read(tmp_path):
    bad = []
    path = write(tmp_path, b'id,text\n1,a,b\n2,"\xff\n."\n3,ok\n4\n')
    assert read(path, on_bad=bad.append) == [("5", {"id": "3", "text": "ok"})]
    assert [(row.where.rpartition(":")[2], row.reason) for row in bad] == [
        ("2", "wrong columns"),
        ("3", "not UTF-8"),
        ("6", "wrong columns"),
    ]
    assert bad[0].what == "3 cells, the head has 2"


@pytest.mark.parametrize(
    ("data", "line", "told"),
    [
        ('id,text\n1,a\n2,"b\n3,c\n', 3, "unexpected end of data"),
        ('id,text\n1,"a"b\n', 2, "',' expected after '\"'"),
        ("id,text,id\n1,a,2\n", 1, "the head names `id` twice"),
    ],
)
def test_a_table_that_cannot_be_read_is_told_with_its_line(tmp_path, data, line, told):
    path = write(tmp_path, data)
    with pytest.raises(DataError) as raised:
        read(path)
    assert raised.value.where == f"{path}:{line}"
    assert told in raised.value.what


def test_files_that_are_empty_absent_or_in_another_encoding_are_told(tmp_path):
    with pytest.raises(DataError, match="the file is empty"):
        read(write(tmp_path, "\n"))
    with pytest.raises(UsageError, match="no such file"):
        read(tmp_path / "absent.csv")
    with pytest.raises(DataError, match="the file is UTF-16"):
        read(write(tmp_path, "id,text\n".encode("utf-16")))
    with pytest.raises(BadRow, match="not UTF-8"):
        read(write(tmp_path, "编号,正文\n".encode("gb18030")))


CELLS = st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\r"), min_size=1), min_size=2, max_size=2)


@settings(deadline=None)
@given(st.lists(CELLS, min_size=1))
def test_what_csv_writes_is_read(tmp_path_factory, rows):
    text = io.StringIO(newline="")
    csv.writer(text, quoting=csv.QUOTE_ALL).writerows([["a", "b"], *rows])
    path = write(tmp_path_factory.mktemp("csv"), text.getvalue())
    assert [list(fields.values()) for _, fields in read(path)] == rows
