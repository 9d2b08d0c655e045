"""PDF files: the text layer, page by page. Nothing is recognised from pictures."""

import logging
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from core import lazy
from core.formats.documents.found import Content, bad

_BROKEN = (
    ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RuntimeError, AssertionError, OSError,
    struct.error, zlib.error,
)  # fmt: skip
"""What the reader raises on files that are broken inside, besides its own errors."""


def read(path: Path) -> Content:
    """The text of all pages; metadata `pages` is their number.

    Raises:
        BadRow: encrypted, broken, or without a text layer.
        Missing: the package that reads PDF is not installed.
    """
    found = list(pages(path))
    text = "\n".join(page.text for page in found)
    return Content(text, found[0].title, {"pages": found[0].metadata["pages"]})


def pages(path: Path) -> Iterator[Content]:
    """Each page that has text; metadata `page` is its number, from 1, of `pages`.

    Raises:
        BadRow: encrypted, broken, or without a text layer.
        Missing: the package that reads PDF is not installed.
    """
    pypdf = lazy.require("pypdf", extra="documents")
    logging.getLogger("pypdf").setLevel(logging.ERROR)  # it warns of every oddity that it puts right
    try:
        reader = pypdf.PdfReader(path)
        # Files that anybody may open are often encrypted with the empty password.
        if reader.is_encrypted and not reader.decrypt(""):
            raise bad(path, "it is encrypted: its text needs a password", hint="save it without one")
        title = " ".join(str((reader.metadata and reader.metadata.title) or "").split())
        texts = [str(page.extract_text()).strip() for page in reader.pages]
    except pypdf.errors.DependencyError as error:
        raise bad(path, f"it is encrypted: {error}", hint="save it without a password") from None
    except (pypdf.errors.PyPdfError, *_BROKEN) as error:
        raise bad(path, f"it is no readable PDF: {type(error).__name__}: {error}") from None
    if not any(texts):
        what = f"no text layer in its {len(texts)} page{'s' * (len(texts) != 1)}: they are pictures"
        raise bad(path, what, reason="no text layer", hint="recognise its text (OCR) first")
    for number, text in enumerate(texts, 1):
        if text:
            yield _page(text, title, number, len(texts))


def _page(text: str, title: str, number: int, count: int) -> Content:
    metadata: dict[str, Any] = {"page": number, "pages": count}
    return Content(text, title, metadata)
