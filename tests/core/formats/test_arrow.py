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
