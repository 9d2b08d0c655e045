"""The three kinds of data that flow from one format to another, and what a conversion is told.

Streams can be gone through again: each call reads from the start. They count in `lost` what they leave out.
"""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from core.data.convert.shelf import Shelf
from core.formats.lost import Lost
from core.formats.qrels import Judgement
from core.formats.records import Form
from core.types import Document, Example, Pair, Query


@dataclass(frozen=True)
class Examples:
    """Queries with positives and negatives."""

    stream: Callable[[Lost], Iterator[Example]]


@dataclass(frozen=True)
class Pairs:
    """Queries and documents with a label."""

    stream: Callable[[Lost], Iterator[Pair]]


@dataclass(frozen=True)
class Collection:
    """Documents, queries and judgements; None is a part that the source does not have."""

    documents: Callable[[Lost], Iterator[Document]] | None = None
    queries: Callable[[Lost], Iterator[Query]] | None = None
    judgements: Callable[[Lost], Iterator[Judgement]] | None = None
    """Split by split."""


Source: TypeAlias = Examples | Pairs | Collection


@dataclass(frozen=True)
class Job:
    """What a conversion is told, and where it works."""

    input: Path
    scratch: Path
    """A folder for temporary files."""
    files: contextlib.ExitStack
    """Closes the temporary files in the end."""
    output: Path
    """Where to write: takes its final name when all is done."""
    name: str
    """That final name."""
    form: Form
    """What shall hold the rows of the output."""
    split: str | None
    """The one split whose judgements count, or the name of the split that is written; None: see the formats."""
    corpus: Path | None
    """Documents (and, in a BEIR folder, queries) that the input itself does not hold."""
    threshold: float
    """Least label of a positive."""
    negatives: int | None
    """Negatives of each example; None: all."""

    def shelf(self, name: str) -> Shelf:
        """A new shelf for temporary values."""
        return self.files.enter_context(contextlib.closing(Shelf(self.scratch / name)))
