"""Word files (.docx)."""

import struct
import zipfile
import zlib
from pathlib import Path

from core import lazy
from core.formats.documents import web
from core.formats.documents.found import Content, bad

_OLE = b"\xd0\xcf\x11\xe0"


def read(path: Path) -> Content:
    """The text in a file, paragraph by paragraph; the title is its first top heading, which then leaves the text.

    Raises:
        BadRow: no Word file of this kind, an encrypted or a broken one.
        Missing: the package that reads Word files is not installed.
    """
    convert = lazy.require("mammoth", extra="documents").convert_to_html
    with path.open("rb") as file:
        if file.read(4) == _OLE:
            hint = "save it as .docx without a password"
            raise bad(path, "it is encrypted, or a .doc of the old kind under the name of a .docx", hint=hint)
        try:
            # Pictures would come as text, as long as their bytes.
            markup = convert(file, convert_image=lambda _: [])
        except _BROKEN as error:
            raise bad(path, f"it is no readable Word file: {type(error).__name__}: {error}") from None
    return web.page(markup.value)


_BROKEN = (
    zipfile.BadZipFile, zlib.error, struct.error, OSError, EOFError, ValueError, LookupError, TypeError, AttributeError,
    SyntaxError, RuntimeError,
)  # fmt: skip
"""What the reader raises on files that are broken inside: it tells no error of its own."""
