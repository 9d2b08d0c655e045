"""Held-out rows for verl's fine-tuning, which measures whole batches and leaves the rest out."""

from pathlib import Path

import pyarrow.parquet as pq

NAME = "held_out.parquet"


def filled(path: Path, batch: int, folder: Path) -> Path:
    """A file in `folder` with the rows of `path`, the first ones again until the last batch is full."""
    table = pq.read_table(path)
    rows = [*range(table.num_rows)]
    lacking = -len(rows) % batch
    again = [rows[place % len(rows)] for place in range(lacking)]
    pq.write_table(table.take(rows + again), folder / NAME)
    return folder / NAME
