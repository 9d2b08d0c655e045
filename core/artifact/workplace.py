"""The unfinished directory: one maker at a time, what a stopped run left, what a failed one keeps."""

import contextlib
import errno
import fcntl
import os
import shutil
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from pathlib import Path

from core.artifact.ancestry import Ancestry
from core.artifact.files import CLAIM, LOGS, MANIFEST, free_name, read_json, write_json
from core.errors import ArtifactError, DrError
from core.recipe import ArtifactRecipe

FULL_BYTES = 1 << 16
"""Less room than this is none."""


@contextlib.contextmanager
def alone(partial: Path, out: Path | None) -> Iterator[None]:
    """Hold the directory; the kernel frees it however the process ends. Refuses when `out` has appeared meanwhile."""
    partial.mkdir(parents=True, exist_ok=True)
    handle = os.open(partial, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ArtifactError("another run is making this now", where=str(partial), hint="wait for it") from None
        if not partial.exists() or partial.stat().st_ino != os.fstat(handle).st_ino or (out and out.exists()):
            with contextlib.suppress(OSError):  # it is another's, or has something in it
                partial.rmdir()
            raise ArtifactError("another run has just finished this", where=str(partial), hint="run it again")
        yield
    finally:
        os.close(handle)


@contextlib.contextmanager
def claimed(partial: Path, recipe: ArtifactRecipe, ancestry: Ancestry, *, force: bool) -> Iterator[None]:
    """Resume only what the same recipe began; leave nothing behind when the work fails before its first file."""
    claim = partial / CLAIM
    # A run that was killed between its manifest and the rename has left the manifest in the claim's place.
    began = next((p for p in (claim, partial / MANIFEST) if p.exists()), None)
    if began is None and any(path.name != f"{CLAIM}.tmp" for path in partial.iterdir()):
        raise ArtifactError("here are files that `dr` did not make", where=str(partial), hint="choose another `out:`")
    left = read_json(began) if began else {}
    if left and not left.get("resumes"):
        _empty(partial)
        left = {}
    changed = ancestry.differences(left) if left else []
    if changed and not force:
        raise ArtifactError(
            f"an unfinished run of another recipe is here ({'; '.join(changed)})",
            where=str(partial),
            hint="finish that one, or start over with --force (it is kept as .previous)",
        )
    if changed:
        aside = free_name(partial)
        aside.mkdir()
        for path in list(partial.iterdir()):
            path.rename(aside / path.name)
    write_json(claim, {**ancestry.as_dict(), "resumes": recipe.resumes})
    try:
        yield
    except (OSError, RuntimeError):
        # numpy and faiss tell of a full disk in words of their own, without its number.
        if _is_full(partial):
            raise _full(partial) from None
        raise
    finally:
        if partial.exists():
            _tidy(partial, recipe)


def _tidy(partial: Path, recipe: ArtifactRecipe) -> None:
    """After a failure keep what a resume or a look needs: all of it, or the logs of a stage that cannot resume."""
    if not recipe.resumes:
        _empty(partial, keep={CLAIM, LOGS})
    if {path.name for path in partial.iterdir()} == {CLAIM}:
        _empty(partial)
        partial.rmdir()


def _empty(partial: Path, keep: AbstractSet[str] = frozenset()) -> None:
    """Clear what a stopped run of a stage that cannot resume has left: half files, of use to nobody."""
    for path in [path for path in partial.iterdir() if path.name not in keep]:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()


@contextlib.contextmanager
def writing(out: Path, partial: Path) -> Iterator[None]:
    """A full disk and an output that cannot be written, as sentences."""
    try:
        yield
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise _full(partial) from None
        name = Path(os.fsdecode(error.filename)) if isinstance(error.filename, (str, bytes)) else None
        if name and (name == out or name.is_relative_to(partial) or partial.is_relative_to(name)):
            raise ArtifactError(f"cannot write the output: {error.strerror}", where=str(name)) from None
        raise


def _full(partial: Path) -> DrError:
    return DrError("the disk is full", where=str(partial), hint="make room and run the same command again")


def _is_full(partial: Path) -> bool:
    with contextlib.suppress(OSError):
        return shutil.disk_usage(partial).free < FULL_BYTES
    return False
