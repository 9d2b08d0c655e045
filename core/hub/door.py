"""The ways to a repository's files, and which of them a call means."""

from pathlib import Path
from typing import Protocol

from core.hub.listing import HubName, Listing, RemoteFile, Repository


class Door(Protocol):
    """One place that repositories come from."""

    @property
    def resumes_files(self) -> bool:
        """Whether a file that was cut off goes on where it ended, from what lies in the folder it was fetched to."""
        ...

    @property
    def place(self) -> str:
        """Its address or folder, without user names and secrets."""
        ...

    def listing(self, repository: Repository) -> Listing:
        """What the repository holds, its revision resolved to a commit.

        Raises:
            Missing: the place does not answer, or does not let us in.
            UsageError: there is no such repository or revision.
        """
        ...

    def fetch(self, listing: Listing, file: RemoteFile, folder: Path) -> Path:
        """Bring one file to `folder` and say where it lies; unchecked.

        Raises:
            DataError: it arrived broken.
            Missing: the place does not answer.
        """
        ...


def open_door(hub: HubName, from_dir: Path | None = None) -> Door:
    """The way that a call means: a copied folder when there is one, the hub's own library otherwise.

    Raises:
        Missing: the hub's library is not installed.
    """
    if from_dir is not None:
        from core.hub.local import Folder

        return Folder(from_dir)
    if hub == "modelscope":
        from core.hub.modelscope import ModelScope

        return ModelScope()
    from core.hub import huggingface

    return huggingface.door()
