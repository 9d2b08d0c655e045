import subprocess

import pytest

from core.errors import DataError, UsageError
from core.formats.rows import BadRow, fail, objects


def write(tmp_path, content, name="rows.jsonl"):
    path = tmp_path / name
    path.write_bytes(content)
    return path


def bad_rows(path):
    found = []
    list(objects(path, found.append))
    return found


def test_each_object_comes_with_file_and_line(tmp_path):
    path = write(tmp_path, b'{"a": 1}\n\n{"a": 2}')
    assert [(row.where, row.fields) for row in objects(path)] == [(f"{path}:1", {"a": 1}), (f"{path}:3", {"a": 2})]


def test_a_byte_order_mark_and_windows_line_ends_do_no_harm(tmp_path):
    path = write(tmp_path, b'\xef\xbb\xbf{"a": 1}\r\n{"a": 2}\r\n')
    assert [row.fields["a"] for row in objects(path)] == [1, 2]


def test_broken_json_is_told_with_its_column(tmp_path):
    (bad,) = bad_rows(write(tmp_path, b'{"a": 1}\n{"a": oops}\n{"a": 3}\n'))
    assert (bad.reason, bad.excerpt) == ("broken JSON", '{"a": oops}')
    assert bad.where.endswith("rows.jsonl:2")
    assert "column 7" in bad.what


def test_the_rows_after_a_bad_one_are_read(tmp_path):
    path = write(tmp_path, b'{"a": 1}\n[]\n{"a": 3}\n')
    assert [row.fields["a"] for row in objects(path, lambda bad: None)] == [1, 3]


@pytest.mark.parametrize("value", [b"[1]", b'"text"', b"7", b"null", b"true"])
def test_a_row_that_is_no_object_is_bad(tmp_path, value):
    (bad,) = bad_rows(write(tmp_path, value))
    assert bad.reason == "not an object"


def test_chinese_in_another_encoding_is_told_with_the_command_that_mends_it(tmp_path):
    path = write(tmp_path, '{"id": "1", "text": "基金"}'.encode("gb18030"))
    (bad,) = bad_rows(path)
    assert bad.reason == "not UTF-8"
    assert "byte 0xBB at byte 22" in bad.what  # {"id": "1", "text": " is 21 bytes long; 基 is BB F9 in GB18030
    command = bad.hint.split("`")[1]
    subprocess.run(command, shell=True, check=True, cwd=tmp_path)
    assert [row.fields["text"] for row in objects(tmp_path / "utf8.jsonl")] == ["基金"]


def test_utf_16_and_compressed_files_are_named_as_such(tmp_path):
    with pytest.raises(DataError, match="UTF-16"):
        list(objects(write(tmp_path, '{"a": 1}'.encode("utf-16"))))
    with pytest.raises(DataError, match="compressed"):
        list(objects(write(tmp_path, b"\x1f\x8b\x08\x00rest")))


def test_a_json_list_over_many_lines_gets_the_hint_that_makes_rows_of_it(tmp_path):
    assert "jq" in bad_rows(write(tmp_path, b'[\n{"a": 1}\n]\n'))[0].hint


@pytest.mark.parametrize("content", [b"", b"\n \n", b"\xef\xbb\xbf\n"])
def test_a_file_without_rows_is_an_error(tmp_path, content):
    with pytest.raises(DataError, match="no row"):
        list(objects(write(tmp_path, content)))


def test_an_absent_file_and_a_folder_are_told_apart(tmp_path):
    with pytest.raises(UsageError, match="no such file"):
        list(objects(tmp_path / "absent.jsonl"))
    with pytest.raises(UsageError, match="a folder is here, a file is needed"):
        list(objects(tmp_path))


def test_the_strict_way_ends_at_the_first_bad_row(tmp_path):
    with pytest.raises(BadRow) as raised:
        list(objects(write(tmp_path, b'{"a": 1}\nx\ny\n'), fail))
    assert raised.value.where.endswith(":2")
    assert raised.value.exit_code == 1


def test_the_excerpt_of_a_huge_row_is_short(tmp_path):
    (bad,) = bad_rows(write(tmp_path, b"x" * 1_000_000))
    assert len(bad.excerpt) == 200
