"""The user's files of rows: JSON lines, a JSON array, Parquet, or CSV."""

from collections.abc import Iterator
from pathlib import Path

from core.errors import DataError
from core.formats.records import any_rows
from core.formats.rows import OnBad, Row

ENDINGS = (".jsonl", ".jsonl.gz", ".parquet", ".json", ".csv", ".tsv")
"""In a folder, files of the first of these endings that it has are read."""


def rows(path: Path, on_bad: OnBad) -> Iterator[Row]:
    """Every row of a file, or of the files of a folder by name, with its place.

    Raises:
        UsageError: there is no such file.
        DataError: a file cannot be read, or a folder has none that we read.
    """
    for file in _files(path):
        yield from any_rows(file, on_bad)


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    for ending in ENDINGS:
        if found := sorted(path.glob(f"*{ending}")):
            return found
    raise DataError(f"the folder has no file that ends in {', '.join(ENDINGS)}", where=str(path))
