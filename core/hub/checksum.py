"""Is a file what its hub said it would be?"""

import hashlib
from pathlib import Path

from core import digest
from core.errors import DataError
from core.hub.listing import RemoteFile

BLOCK_BYTES = 1 << 20


def fault(path: Path, file: RemoteFile) -> str | None:
    """What separates the bytes at `path` from `file`, in words; None when they agree in all that is known of it."""
    size = path.stat().st_size
    if file.bytes is not None and size != file.bytes:
        return f"it has {size:,} bytes, {file.bytes:,} were announced"
    if file.sha256 is not None and (seen := digest.of_file(path)) != file.sha256:
        return f"its sha256 begins {seen[:12]}, not {file.sha256[:12]}"
    if file.sha256 is None and file.git_sha1 is not None and (seen := git_sha1(path)) != file.git_sha1:
        return f"its git blob id begins {seen[:12]}, not {file.git_sha1[:12]}"
    return None


def check(path: Path, file: RemoteFile, origin: str) -> None:
    """Raises DataError when the bytes at `path` are not those of `file`; takes them away, so that nothing uses them."""
    if said := fault(path, file):
        path.unlink()
        hint = "run the same command again; if it came from a copied folder, copy that again first"
        raise DataError(f"`{file.path}` did not arrive whole: {said}", where=origin, hint=hint)


def git_sha1(path: Path) -> str:
    """Git's name of a file's content, hexadecimal."""
    known = hashlib.sha1(b"blob %d\0" % path.stat().st_size, usedforsecurity=False)
    with path.open("rb") as file:
        while block := file.read(BLOCK_BYTES):
            known.update(block)
    return known.hexdigest()


def method(file: RemoteFile) -> str:
    """What `fault` compares of a file beside its size: `sha256`, `git`, or `none`."""
    return "sha256" if file.sha256 else "git" if file.git_sha1 else "none"
