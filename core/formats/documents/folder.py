"""A folder of documents, read one file at a time, in order of their paths."""

import logging
import os
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

from core.errors import DataError, UsageError
from core.formats.documents import markdown, pdf, web, word
from core.formats.documents.found import Content, text_in
from core.formats.rows import BadRow, Found, OnBad, fail, unreadable
from core.types import Document

log = logging.getLogger(__name__)

READERS: dict[str, Callable[[Path], Content]] = {
    ".pdf": pdf.read,
    ".html": web.read,
    ".htm": web.read,
    ".docx": word.read,
    ".md": markdown.read,
    ".markdown": markdown.read,
    ".txt": lambda path: Content(text_in(path)),
}
"""How a file is read, by the end of its name."""


def documents(folder: Path, on_bad: OnBad = fail, pdfs: Literal["file", "page"] = "file") -> Iterator[Found[Document]]:
    """The documents; each id is the path under `folder`, `path#page=3` for a page, with `_` for white space.

    Raises:
        UsageError: no such folder.
        DataError: no file in it is of a known kind.
    """
    files = _files(folder)
    for path in files:
        name = path.relative_to(folder).as_posix()
        try:
            found = _read(path, name, pdfs)
        except BadRow as bad:
            on_bad(bad)
            continue
        except OSError as error:
            raise unreadable(path, error) from None
        yield from found


def _read(path: Path, name: str, pdfs: str) -> list[Found[Document]]:
    kind = path.suffix.lower()
    if kind == ".pdf" and pdfs == "page":
        pages = pdf.pages(path)
        return [_found(page, f"{name}#page={page.metadata['page']}", path, name) for page in pages]
    return [_found(READERS[kind](path), name, path, name)]


def _found(content: Content, identifier: str, path: Path, name: str) -> Found[Document]:
    clean = "_".join(identifier.split())
    # The id tells the file, unless white space was taken out of it or a page was added.
    metadata = dict(content.metadata) if clean == name else {"file": name, **content.metadata}
    return Found(Document(clean, content.text, content.title, metadata), str(path), "path", path.suffix.lower())


def _all_files(folder: Path) -> Iterator[Path]:
    """Every file that is not hidden, and folders that are links, without what is in them.

    Raises:
        DataError: a folder cannot be read.
    """

    def told(error: OSError) -> None:
        raise unreadable(Path(error.filename), error) from None

    for place, folders, names in os.walk(folder, onerror=told):
        folders[:] = [name for name in folders if not name.startswith(".")]
        links = [name for name in folders if Path(place, name).is_symlink()]
        yield from (Path(place, name) for name in (*names, *links) if not name.startswith("."))


def _files(folder: Path) -> list[Path]:
    if not folder.is_dir():
        what = "a file is here, a folder of documents is needed" if folder.exists() else "there is no such folder"
        raise UsageError(what, where=str(folder), hint="paths are relative to where `dr` is called")
    known, others = [], Counter[str]()
    for path in sorted(_all_files(folder)):
        if path.is_dir():
            log.warning("%s: a link to a folder is not followed, for it may lead in a circle", path)
        elif path.suffix.lower() in READERS and (path.is_file() or not path.exists()):
            known.append(path)
        else:
            others[path.suffix.lower() or "no suffix"] += 1
    kinds = ", ".join(READERS)
    if not known:
        raise DataError(f"no file here is a document: {kinds}", where=str(folder))
    if others:
        told = ", ".join(f"{kind}: {count}" for kind, count in others.most_common())
        log.warning("%s: %d files of other kinds are passed over (%s)", folder, others.total(), told)
    return known
