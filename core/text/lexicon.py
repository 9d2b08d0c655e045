"""A domain's word list, as a file or as stored in an index."""

from pathlib import Path

from core.errors import DataError
from core.text.normal import normalise


def read(path: Path) -> list[str]:
    """The words of a lexicon file in normal form, sorted, each once: first column up to a tab, `#` starts a comment.

    Raises:
        DataError: not a readable UTF-8 file, or no word in it.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise DataError(f"the lexicon is not UTF-8 (byte {error.start})", where=str(path)) from None
    except OSError as error:
        raise DataError(f"the lexicon cannot be read: {error.strerror}", where=str(path)) from None
    words = {normalise(line.split("\t")[0]).strip() for line in lines if not line.startswith("#")}
    words.discard("")
    if not words:
        raise DataError("the lexicon holds no word", where=str(path), hint="one word a line")
    return sorted(words)
