"""SHA-256 of files and folders, and cheap stamps that tell whether one may have changed."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path


def of_file(path: Path) -> str:
    """SHA-256 of a file's bytes, hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def of_text(text: str) -> str:
    """SHA-256 of a text as UTF-8, hexadecimal."""
    return hashlib.sha256(text.encode()).hexdigest()


def of_files(digests: Mapping[str, str]) -> str:
    """One digest for a set of files given as name -> digest; independent of order and place."""
    return of_text(json.dumps(digests, sort_keys=True))


def of_tree(path: Path) -> str:
    """Digest of a file, or of a folder with all that lies under it."""
    if path.is_dir():
        return of_files({str(p.relative_to(path)): of_file(p) for p in _under(path)})
    return of_file(path)


def stamp(path: Path) -> list[int]:
    """Number of files, bytes, and the newest modification time in nanoseconds.

    Raises:
        OSError: there is nothing at `path`.
    """
    stats = [p.stat() for p in (_under(path) if path.is_dir() else [path])]
    return [len(stats), sum(s.st_size for s in stats), max((s.st_mtime_ns for s in stats), default=0)]


def _under(path: Path) -> list[Path]:
    return sorted(p for p in path.rglob("*") if p.is_file())
