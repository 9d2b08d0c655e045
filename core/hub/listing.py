"""What a repository holds at one commit: its files, and what is known of each before it is fetched."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from fnmatch import fnmatchcase
from pathlib import PurePosixPath
from typing import Any, Literal

from core.errors import DataError, UsageError

HubName = Literal["huggingface", "modelscope"]
Kind = Literal["dataset", "model"]

SHOWN = 5
"""Paths that a message quotes."""


@dataclass(frozen=True)
class Repository:
    """A repository by its place; `revision` is a branch, a tag or a commit, None the hub's main branch."""

    hub: HubName
    id: str
    kind: Kind
    revision: str | None = None

    def __str__(self) -> str:
        return f"{self.kind} `{self.id}`"


@dataclass(frozen=True)
class RemoteFile:
    """One file as its hub describes it; None is what the hub does not tell."""

    path: str
    bytes: int | None = None
    sha256: str | None = None
    git_sha1: str | None = None
    """Git's name of the content: SHA-1 of `blob <bytes>\\0` and the bytes."""


@dataclass(frozen=True)
class Listing:
    """The files of a repository at `commit`, in the order of their paths; None where the place knows no commits."""

    repository: Repository
    commit: str | None
    files: tuple[RemoteFile, ...]

    @property
    def pinned(self) -> str | None:
        """The revision to fetch: the commit where there is one."""
        return self.commit or self.repository.revision

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> "Listing":
        files = tuple(RemoteFile(**file) for file in fields["files"])
        return cls(Repository(**fields["repository"]), fields["commit"], files)


def listing(repository: Repository, commit: str | None, files: Sequence[RemoteFile]) -> Listing:
    """A listing in the order of its paths.

    Raises:
        DataError: a path leads out of the folder that files are written to.
    """
    for file in files:
        path = PurePosixPath(file.path)
        if path.is_absolute() or ".." in path.parts or not path.parts or "\\" in file.path:
            raise DataError(f"the {repository} names a file outside itself: {file.path!r}")
    return Listing(repository, commit, tuple(sorted(files, key=lambda file: file.path)))


def choose(listing: Listing, include: Sequence[str], exclude: Sequence[str]) -> Listing:
    """The files that match one of `include` (all, when it is empty) and none of `exclude`.

    `*` matches any characters, slashes too; a pattern that ends in a slash is a folder.

    Raises:
        UsageError: none does.
    """
    kept = [
        file
        for file in listing.files
        if (not include or _matches(file.path, include)) and not _matches(file.path, exclude)
    ]
    if not kept:
        paths = ", ".join(file.path for file in listing.files[:SHOWN]) or "nothing"
        more = f" and {len(listing.files) - SHOWN:,} more" if len(listing.files) > SHOWN else ""
        raise UsageError(
            f"no file of the {listing.repository} is chosen; it holds {paths}{more}",
            hint="`dr data list NAME` shows its files; patterns are as in --include '*.jsonl' --include 'qrels/'",
        )
    return replace(listing, files=tuple(kept))


def _matches(path: str, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(path, f"{pattern}*" if pattern.endswith("/") else pattern) for pattern in patterns)
