"""Ids of texts, and the document that a piece was cut out of."""

import re

from core import digest

_PIECE = re.compile(r"#\d+\Z")


def of_text(text: str) -> str:
    """An id for a text that has none; the same for the same text."""
    return f"text-{digest.of_text(text)[:16]}"


def whole(document_id: str) -> str:
    """The document that `document#3` is a piece of; of other documents their own id."""
    return _PIECE.sub("", document_id)
