"""An output that is whole or absent: made beside its place, moved there at the end."""

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from core.artifact.files import free_name, fsync
from core.artifact.workplace import writing
from core.errors import ArtifactError

_RESULT = "result"


def check_place(source: Path, out: Path, *, force: bool) -> None:
    """Look at where the output shall lie, before anything is read.

    Raises:
        ArtifactError: something is there already and `force` does not move it aside, or the input lies there.
    """
    if source.resolve().is_relative_to(out.resolve()):
        raise ArtifactError("the output would replace its own input", where=str(out), hint="choose another output")
    if out.exists() and not force:
        hint = "choose another, or replace it with --force (the old one is kept as .previous)"
        raise ArtifactError("the output is there already", where=str(out), hint=hint)


@contextlib.contextmanager
def made(out: Path, *, force: bool) -> Iterator[tuple[Path, Path]]:
    """Where to make `out` meanwhile, and a folder for temporary files; both are gone afterwards.

    Raises:
        ArtifactError: `out` cannot be written, or appeared while it was made.
        DrError: the disk is full.
    """
    with writing(out, out.parent):
        out.parent.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(prefix=f"{out.name}.", suffix=".partial", dir=out.parent))
    try:
        with writing(out, scratch):
            yield (result := scratch / _RESULT), scratch
            for path in (*result.rglob("*"), result):
                fsync(path)
        _move(result, out, force=force)
    finally:
        shutil.rmtree(scratch)


def _move(result: Path, out: Path, *, force: bool) -> None:
    if out.exists() and force:
        out.rename(free_name(out))
    if out.exists():
        raise ArtifactError("the output appeared while it was made", where=str(out))
    result.rename(out)
    fsync(out.parent)
