import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from core.tuning.verl.held_out import filled


@pytest.mark.parametrize(("count", "batch", "expected"), [(3, 8, 8), (10, 4, 12), (8, 4, 8)])
def test_the_last_batch_is_filled_by_the_first_rows_again(tmp_path, count, batch, expected):
    pq.write_table(pa.table({"row": range(count)}), tmp_path / "dev.parquet")

    rows = pq.read_table(filled(tmp_path / "dev.parquet", batch, tmp_path))["row"].to_pylist()

    assert rows == [place % count for place in range(expected)]
