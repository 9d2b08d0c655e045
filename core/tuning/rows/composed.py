"""What mixing makes: two files and what is known of them."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Composed:
    """Rows on disk, in verl's columns (see `core.formats.verl`), which TRL's worker reads as well."""

    train: Path
    """Parquet; the rows of one epoch, in the order of the artifacts: trainers shuffle by seed."""
    held_out: Path | None
    """Parquet. None: nothing is measured."""
    count: int
    """Rows of an epoch."""
    held_out_count: int
    prompts: dict[str, Any] | None
    """Facts (`name`, `digest`) of the prompt template that all rows were made with. None: of several, or of none."""
