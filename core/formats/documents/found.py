"""What a reader of one file gives, and what it raises."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from core.formats.rows import BadRow, Reason, text_of


@dataclass(frozen=True)
class Content:
    """The text of a file or of one of its pages. Lines are paragraphs."""

    text: str
    title: str = ""
    metadata: Mapping[str, Any] = field(default_factory=dict)


def bad(path: Path, what: str, *, reason: Reason = "unreadable file", hint: str | None = None) -> BadRow:
    """The file as a bad row."""
    return BadRow(reason, what, where=str(path), row=path.name, hint=hint)


def text_in(path: Path) -> str:
    """The file as UTF-8 text, without a byte-order mark.

    Raises:
        BadRow: it is not UTF-8.
    """
    return text_of(path.read_bytes(), str(path)).removeprefix("\ufeff")
