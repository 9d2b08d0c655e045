"""A folder copied from a machine that could reach the hub: for machines that cannot.

It may be an artifact of `dr data download`, a cache of `huggingface_hub` or of `modelscope` (the folder that holds
many repositories, or one of them), or a plain tree of files. What these say of their files is what is checked: an
artifact's manifest, the names of the cache's blobs, the notes that `hf download --local-dir` leaves, a SHA256SUMS.
"""

import logging
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from core import artifact
from core.errors import DataError, Missing, UsageError
from core.hub.listing import Listing, RemoteFile, Repository, listing

SUMS = "SHA256SUMS"
FILES = "files"
"""Folder of an artifact of `dr data download` that holds the repository's files."""

NOTES = Path(".cache/huggingface/download")
NOT_OURS = {".git", ".cache"}
POINTER = b"version https://git-lfs"
SHA256, SHA1 = re.compile(r"[0-9a-f]{64}"), re.compile(r"[0-9a-f]{40}")

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Folder:
    """Repositories under `path`; `offline` when it stands for a hub that must not be asked."""

    path: Path
    offline: bool = False
    resumes_files: bool = False
    _roots: dict[Repository, Path] = field(default_factory=dict, repr=False)

    @property
    def place(self) -> str:
        return str(self.path)

    def listing(self, repository: Repository) -> Listing:
        if not self.path.is_dir() and not self.offline:
            raise UsageError("there is no such folder", where=str(self.path), hint="--from-dir names a copied folder")
        if (self.path / artifact.MANIFEST).exists() and (self.path / FILES).is_dir():
            found, self._roots[repository] = _artifact(self.path, repository), self.path / FILES
            return found
        if cached := _cached(self.path, repository):
            commit, root = _snapshot(cached, repository)
        elif self.offline:
            hint = "unset HF_HUB_OFFLINE, or name a copied folder by --from-dir"
            raise Missing(
                f"the {repository} is not in the cache, and HF_HUB_OFFLINE is set", where=self.place, hint=hint
            )
        else:
            commit, root = None, self.path
        self._roots[repository] = root
        known = _sums(root)
        files = [_described(path, root, known) for path in _tree(root)]
        if lost := sorted(known.keys() - {file.path for file in files}):
            raise DataError(f"`{lost[0]}` is in {SUMS} and not in the folder", where=str(root))
        if not known:
            log.info("%s: %d files; nothing here tells whether the repository holds more", root, len(files))
        told = (commit, _noted_commit(root), repository.revision)
        return listing(repository, next((c for c in told if c and SHA1.fullmatch(c)), None), files)

    def fetch(self, listing: Listing, file: RemoteFile, folder: Path) -> Path:
        root = self._roots.get(listing.repository)
        if root is None:  # the listing is of an earlier run
            self.listing(replace(listing.repository, revision=listing.pinned))
            root = self._roots[replace(listing.repository, revision=listing.pinned)]
        if not (root / file.path).is_file():
            raise DataError(f"`{file.path}` is not in the folder", where=str(root), hint="copy the whole repository")
        return self.copy(root / file.path, folder / file.path)

    @staticmethod
    def copy(source: Path, target: Path) -> Path:
        """A copy of the bytes, not of a link."""
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
        return target


def _artifact(path: Path, repository: Repository) -> Listing:
    manifest = artifact.read(path, ("download",))
    stats = manifest["stats"]
    if (stats["repository"], stats["kind"]) != (repository.id, repository.kind):
        raise UsageError(f"this is the {stats['kind']} `{stats['repository']}`, not the {repository}", where=str(path))
    files = [
        RemoteFile(name.removeprefix(f"{FILES}/"), facts["bytes"], sha256=facts["sha256"])
        for name, facts in manifest["files"].items()
        if name.startswith(f"{FILES}/")
    ]
    return listing(repository, stats["commit"], files)


def _cached(path: Path, repository: Repository) -> Path | None:
    """The repository's own folder in a hub's cache, which `path` may be itself."""
    name = repository.id.replace("/", "--")
    ways = (f"{repository.kind}s--{name}", f"hub/{repository.kind}s--{name}", f"{repository.kind}s/{name}")
    return next((p for p in (path, *(path / way for way in ways)) if (p / "snapshots").is_dir()), None)


def _snapshot(cached: Path, repository: Repository) -> tuple[str, Path]:
    """The commit (on ModelScope the revision) that is wanted of a cached repository, and its folder."""
    snapshots = {p.name: p for p in (cached / "snapshots").iterdir() if p.is_dir()}
    wanted = repository.revision or "main"
    if (cached / "refs" / wanted).is_file():
        wanted = (cached / "refs" / wanted).read_text(encoding="utf-8").strip()
    elif repository.revision is None and len(snapshots) == 1:
        wanted = next(iter(snapshots))
    if wanted not in snapshots:
        what = f"the {repository} is here, but not at revision `{wanted}`"
        raise UsageError(what, where=str(cached), hint=f"--revision can be {', '.join(sorted(snapshots)) or 'none'}")
    return wanted, snapshots[wanted]


def _tree(root: Path) -> Iterator[Path]:
    for path in sorted(root.rglob("*")):
        inside = path.relative_to(root)
        if inside.parts[0] in NOT_OURS or inside == Path(SUMS):
            continue
        if path.is_symlink() and not path.exists():
            what = f"`{inside}` is a link to content that was not copied"
            raise DataError(what, where=str(root), hint="copy the whole repository folder, with its `blobs`")
        if path.is_file():
            yield path


def _described(path: Path, root: Path, sums: dict[str, str]) -> RemoteFile:
    """A file and what the folder knows of its content: SHA256SUMS first, then the blob's name, then the note."""
    name = path.relative_to(root).as_posix()
    etag = path.resolve().name if path.is_symlink() else _note(root, name)[1]
    size = path.stat().st_size
    if size < 1024 and path.read_bytes().startswith(POINTER):
        what = f"`{name}` is a pointer of Git LFS, not the file"
        raise DataError(what, where=str(root), hint="run `git lfs pull` where the folder was cloned")
    if sha256 := sums.get(name) or (etag if SHA256.fullmatch(etag) else None):
        return RemoteFile(name, size, sha256=sha256)
    return RemoteFile(name, size, git_sha1=etag if SHA1.fullmatch(etag) else None)


def _sums(root: Path) -> dict[str, str]:
    """SHA256SUMS as `sha256sum` writes it: digest, two spaces or a space and a star, path."""
    if not (root / SUMS).is_file():
        return {}
    sums = {}
    for number, line in enumerate((root / SUMS).read_text(encoding="utf-8").splitlines(), 1):
        digest, _, name = line.strip().partition(" ")
        if not SHA256.fullmatch(digest.lower()) or not name.strip():
            raise DataError("this is no line of `sha256sum`", where=f"{root / SUMS}:{number}")
        sums[name.strip().removeprefix("*").removeprefix("./")] = digest.lower()
    return sums


def _note(root: Path, name: str) -> tuple[str, str]:
    """Commit and ETag that `hf download --local-dir` noted for a file; empty where it did not."""
    note = root / NOTES / f"{name}.metadata"
    lines = note.read_text(encoding="utf-8").splitlines() if note.is_file() else []
    return (lines[0].strip(), lines[1].strip()) if len(lines) > 1 else ("", "")


def _noted_commit(root: Path) -> str | None:
    """The one commit that the notes name; None when they name none or several."""
    commits = {_note(root, path.relative_to(root).as_posix())[0] for path in _tree(root)} - {""}
    return commits.pop() if len(commits) == 1 else None
