from datetime import date, datetime
from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from core.errors import DataError, UsageError
from core.formats import arrow
from core.formats.rows import BadRow


def test_rows_are_plain_values_with_their_numbers(tmp_path):
    row = {
        "id": 7, "text": "a", "none": None, "flag": True, "share": 0.5, "day": date(2024, 5, 1),
        "at": datetime(2024, 5, 1, 12, 30), "price": Decimal("1.20"), "raw": "基金".encode(),
        "list": [date(2024, 5, 1)], "object": {"day": date(2024, 5, 1)},
    }  # fmt: skip
    pq.write_table(pa.Table.from_pylist([row, row]), tmp_path / "a.parquet")
    first, second = arrow.parquet(tmp_path / "a.parquet")
    assert (first.where, second.where) == tuple(f"{tmp_path}/a.parquet: row {number}" for number in (1, 2))
    assert first.fields == {
        "id": 7, "text": "a", "none": None, "flag": True, "share": 0.5, "day": "2024-05-01",
        "at": "2024-05-01T12:30:00", "price": "1.20", "raw": "基金",
        "list": ["2024-05-01"], "object": {"day": "2024-05-01"},
    }  # fmt: skip


def test_bytes_that_are_no_text_are_a_bad_row_and_the_next_is_read(tmp_path):
    pq.write_table(pa.table({"raw": [b"\xff", b"ok"]}), tmp_path / "a.parquet")
    bad = []
    assert [row.fields for row in arrow.parquet(tmp_path / "a.parquet", bad.append)] == [{"raw": "ok"}]
    assert bad[0].where.endswith("row 1")
    with pytest.raises(BadRow, match="`raw` holds bytes that are not UTF-8"):
        list(arrow.parquet(tmp_path / "a.parquet"))


@pytest.mark.parametrize("form", ["new_stream", "new_file"])
def test_both_forms_of_arrow_files_are_read(tmp_path, form):
    table = pa.table({"id": list(range(3000))})
    with pa.OSFile(str(tmp_path / "a.arrow"), "wb") as file, getattr(pa.ipc, form)(file, table.schema) as writer:
        writer.write_table(table)
    assert [row.fields["id"] for row in arrow.arrow(tmp_path / "a.arrow")] == list(range(3000))


@pytest.mark.parametrize("read", [arrow.parquet, arrow.arrow])
def test_files_that_are_cut_off_of_another_kind_empty_or_absent_are_told(tmp_path, read):
    path = tmp_path / "a.parquet"
    with pytest.raises(UsageError, match="no such file"):
        list(read(path))
    for data in (b"", b"no such form", b"PAR1", b"ARROW1"):
        path.write_bytes(data)
        with pytest.raises(DataError, match="the file") as raised:
            list(read(path))
        assert raised.value.where == str(path)
    pq.write_table(pa.table({"id": [1]}), path)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(DataError, match="cannot be read"):
        list(read(path))


def test_a_table_without_rows_is_told(tmp_path):
    pq.write_table(pa.table({"id": pa.array([], pa.int64())}), tmp_path / "a.parquet")
    with pytest.raises(DataError, match="the file is empty"):
        list(arrow.parquet(tmp_path / "a.parquet"))


def test_entries_of_a_map_are_read_and_a_date_that_python_cannot_hold_is_told(tmp_path):
    entries = pa.array([[("k", "v")]], pa.map_(pa.string(), pa.string()))
    pq.write_table(pa.table({"map": entries}), tmp_path / "a.parquet")
    assert [row.fields for row in arrow.parquet(tmp_path / "a.parquet")] == [{"map": [["k", "v"]]}]
    pq.write_table(pa.table({"at": pa.array([2**60], pa.timestamp("us"))}), tmp_path / "b.parquet")
    with pytest.raises(DataError, match="a row after row 0 holds what cannot be read"):
        list(arrow.parquet(tmp_path / "b.parquet"))


def wide(path):
    """Texts, and columns of bytes and vectors in every form that is usual."""
    image = pa.array([{"bytes": b"\xff", "path": "1.png"}] * 2)
    columns = {
        "text": ["a", "b"], "raw": [b"\xff", b"\xfe"], "image": image, "vector": [[0.5, 1.0]] * 2,
        "fixed": pa.array([[1, 2]] * 2, pa.list_(pa.int8(), 2)), "tags": [["x"], []], "year": [2020, None],
        "kind": pa.array(["k", "k"]).dictionary_encode(), "object": [{"a": 1}] * 2, "a.b": ["c", "d"],
    }  # fmt: skip
    pq.write_table(table := pa.table(columns), path)
    return table


@pytest.mark.parametrize("form", ["parquet", "arrow"])
def test_bytes_and_vectors_that_nothing_asks_for_are_not_read_and_that_is_said_once(tmp_path, form, caplog):
    caplog.set_level("INFO")
    table = wide(tmp_path / "a.parquet")
    with pa.ipc.new_stream(str(tmp_path / "a.arrow"), table.schema) as writer:
        writer.write_table(table)
    read, path = getattr(arrow, form), tmp_path / f"a.{form}"
    for _ in range(2):
        found = [row.fields for row in read(path, needs=(("contents", "text"),))]
    assert found == [
        {"text": "a", "tags": ["x"], "year": 2020, "kind": "k", "object": {"a": 1}, "a.b": "c"},
        {"text": "b", "tags": [], "year": None, "kind": "k", "object": {"a": 1}, "a.b": "d"},
    ]
    (told,) = caplog.messages
    assert told.endswith("`raw`, `image`, `vector`, `fixed`")


def test_a_column_that_is_asked_for_is_read_and_the_second_of_its_names_is_not(tmp_path):
    pq.write_table(pa.table({"text": [b"good"], "content": [b"\xff"]}), tmp_path / "a.parquet")
    assert [row.fields for row in arrow.parquet(tmp_path / "a.parquet", needs=(("text", "content"),))] == [
        {"text": "good"}
    ]
    with pytest.raises(BadRow, match="`content` holds bytes"):
        list(arrow.parquet(tmp_path / "a.parquet", needs=(("content", "text"),)))
