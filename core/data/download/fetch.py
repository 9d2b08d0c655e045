"""`run` fills an artifact with a repository's files. What arrives is checked before it gets its place."""

import json
import logging
import shutil
from collections import Counter
from contextlib import suppress
from pathlib import Path

from core import progress
from core.artifact import LOGS, Work, write_json
from core.data.download.recipe import Recipe
from core.data.download.workers import each
from core.errors import ArtifactError, DataError, DrError
from core.hub import checksum
from core.hub.door import Door, open_door
from core.hub.listing import Listing, RemoteFile, choose
from core.hub.local import FILES, Folder
from core.hub.named import named

INCOMING = "incoming"
"""Where files arrive; gone when all are whole."""

LISTING = "listing.json"
"""In the logs: the commit and the files that were promised. It is what a resumed run goes on with."""

MEGABYTE = 1_000_000

log = logging.getLogger(__name__)


def run(recipe: Recipe, work: Work) -> None:
    """Fetch what is not here yet, and record where it came from.

    Raises:
        DataError: files did not arrive whole; the others are here, and the next run fetches these alone.
        Missing: the hub does not answer, or asks for a token.
        UsageError: no such repository or revision, or no file of it is chosen.
    """
    door = open_door(recipe.hub, recipe.from_dir)
    promised = _promised(recipe, work, door)
    incoming, files = work.path / INCOMING, work.path / FILES
    if not door.resumes_files:
        shutil.rmtree(incoming, ignore_errors=True)
    wanted = [file for file in promised.files if not _is_here(files / file.path, file)]
    log.info("%s at %s: %s", promised.repository, promised.pinned or "its main branch", _plan(promised, wanted))
    _check_room(wanted, work.path)
    _fetch(door, promised, wanted, work, recipe.parallel)
    _only(files, promised)
    shutil.rmtree(incoming, ignore_errors=True)
    work.stats.update(_facts(promised, files, door))
    if unchecked := work.stats["checked"].get("none"):
        log.warning("%s: %d files came without a checksum: they are taken as they are", door.place, unchecked)


def _promised(recipe: Recipe, work: Work, door: Door) -> Listing:
    """What the repository holds: as an earlier run of this recipe found it, or else as it is now.

    A folder is looked at anew each time: its owner may have mended it.
    """
    note = work.path / LOGS / LISTING
    if note.exists() and not isinstance(door, Folder):
        return Listing.from_dict(json.loads(note.read_text(encoding="utf-8")))
    found = door.listing(named(recipe.repository, recipe.hub, recipe.kind, recipe.revision))
    chosen = choose(found, recipe.include, recipe.exclude)
    write_json(work.logs / LISTING, chosen.as_dict())
    return chosen


def _is_here(path: Path, file: RemoteFile) -> bool:
    return path.is_file() and checksum.fault(path, file) is None


def _plan(promised: Listing, wanted: list[RemoteFile]) -> str:
    size = sum(file.bytes or 0 for file in wanted)
    here = len(promised.files) - len(wanted)
    return f"{len(wanted):,} files to fetch, {size / 1e6:,.1f} MB" + (f"; {here:,} are here" if here else "")


def _check_room(wanted: list[RemoteFile], folder: Path) -> None:
    """Raises DrError when the disk cannot hold what is to come; better now than after an hour."""
    needed, free = sum(file.bytes or 0 for file in wanted), shutil.disk_usage(folder).free
    if needed > free:
        what = f"the files need {needed / 1e6:,.1f} MB, and the disk has {free / 1e6:,.1f} MB"
        raise DrError(what, where=str(folder), hint="make room, or choose files with --include and --exclude")


def _fetch(door: Door, promised: Listing, wanted: list[RemoteFile], work: Work, parallel: int) -> None:
    def bring(file: RemoteFile) -> None:
        arrived = door.fetch(promised, file, work.path / INCOMING)
        checksum.check(arrived, file, door.place)
        target = work.path / FILES / file.path
        target.parent.mkdir(parents=True, exist_ok=True)
        arrived.replace(target)

    # The largest first, so that the last to arrive is a small one.
    order = sorted(wanted, key=lambda file: -(file.bytes or 0))
    with progress.bar("download, MB", sum(file.bytes or 0 for file in wanted) // MEGABYTE) as bar:
        failed = each(bring, order, parallel=parallel, look=_Growth(work.path, bar))
    if failed:
        first, *others = sorted(failed, key=lambda error: error.what)
        more = f"\n  also {len(others):,} more, such as: {others[0].what}" if others else ""
        raise DataError(first.what + more, where=first.where, hint=first.hint)


class _Growth:
    """Shows on a bar what a folder has grown by: the libraries tell of their progress in ways of their own."""

    def __init__(self, folder: Path, bar: progress.Bar) -> None:
        self._folder, self._bar, self._shown = folder, bar, _megabytes(folder)

    def __call__(self) -> None:
        now = _megabytes(self._folder)
        if now > self._shown:
            self._bar.advance(now - self._shown)
            self._shown = now


def _megabytes(folder: Path) -> int:
    size = 0
    for path in folder.rglob("*"):
        with suppress(FileNotFoundError):  # it was moved to its place meanwhile
            size += path.stat().st_size
    return size // MEGABYTE


def _only(files: Path, promised: Listing) -> None:
    """Raises ArtifactError when something lies among the files that the repository does not hold."""
    names = {file.path for file in promised.files}
    for path in files.rglob("*"):
        if path.is_file() and path.relative_to(files).as_posix() not in names:
            raise ArtifactError("this file is not one of the repository", where=str(path), hint="move it away")


def _facts(promised: Listing, files: Path, door: Door) -> dict[str, object]:
    repository = promised.repository
    return {
        "hub": repository.hub,
        "repository": repository.id,
        "kind": repository.kind,
        "revision": repository.revision,
        "commit": promised.commit,
        "from": door.place,
        "files": len(promised.files),
        "bytes": sum((files / file.path).stat().st_size for file in promised.files),
        "checked": dict(Counter(checksum.method(file) for file in promised.files)),
    }
