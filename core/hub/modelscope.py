"""ModelScope, through `modelscope_hub`, the part of `modelscope` that speaks to its hub.

The library reads MODELSCOPE_ENDPOINT (formerly MODELSCOPE_DOMAIN), MODELSCOPE_API_TOKEN, MODELSCOPE_CACHE and the
limits MODELSCOPE_DOWNLOAD_* itself.
"""

import contextlib
import logging
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from core.errors import DataError, DrError, Missing, UsageError
from core.hub.address import without_secrets
from core.hub.listing import Listing, RemoteFile, Repository, listing
from core.hub.named import did_you_mean
from core.lazy import require

MAIN = "master"
SETTINGS = {"TQDM_DISABLE": "1", "MODELSCOPE_REPO_TREE_PAGE_MAX_ATTEMPTS": "2"}
"""The library's own switches, read when it is imported, where the user has not set them: no bars, which it would draw
on what is no terminal too, and a hub that cannot be reached is asked twice, not four times with 7 s of waiting."""

COMMIT = re.compile(r"[0-9a-f]{40}")


class ModelScope:
    """The hub at MODELSCOPE_ENDPOINT."""

    resumes_files = True

    def __init__(self) -> None:
        """Raises Missing when the library is not installed."""
        for name, value in SETTINGS.items():
            os.environ.setdefault(name, value)
        self._library = require("modelscope_hub", extra="modelscope")
        self._transport = require("requests", extra="modelscope")
        logging.getLogger("modelscope_hub").setLevel(logging.ERROR)
        self._api = self._library.HubApi()

    @property
    def place(self) -> str:
        return without_secrets(str(self._api.legacy.endpoint))

    def listing(self, repository: Repository) -> Listing:
        revision = repository.revision or MAIN
        with self._told(repository):
            # The public listing leaves out the commit of each entry; this is the same call before that.
            entries = self._api.legacy.list_repo_files(repository.id, repository.kind, revision=revision)
        if not entries:  # how this hub answers to a revision that is not there
            what = f"the {repository} holds nothing at revision `{revision}`"
            raise UsageError(what, where=self.place, hint="give a branch, a tag or a whole commit id")
        files = [_file(entry) for entry in entries if entry.get("Type") != "tree"]
        return listing(repository, _commit(revision, entries), files)

    def fetch(self, listing: Listing, file: RemoteFile, folder: Path) -> Path:
        repository = listing.repository
        with self._told(repository, file.path):
            return Path(
                self._api.download_file(
                    repository.id,
                    repository.kind,
                    file.path,
                    revision=listing.pinned or MAIN,
                    local_dir=folder,
                    expected_sha256=file.sha256,
                    file_size=file.bytes,
                )
            )

    @contextlib.contextmanager
    def _told(self, repository: Repository, file: str | None = None) -> Iterator[None]:
        """The library's failures as our sentences."""
        try:
            yield
        except (self._library.HubError, self._transport.RequestException) as error:
            # The library words some of its transport's failures itself; the others (a redirect without end or to
            # nowhere, an answer that is no JSON) come through as they are.
            raise self._sentence(error, repository, file) from None

    def _sentence(self, error: Any, repository: Repository, file: str | None) -> DrError:
        errors, place = self._library, self.place
        match error:
            case errors.FileIntegrityError():
                what = f"`{file}` did not arrive whole: {error.message}"
                return DataError(what, where=place, hint="run the same command again")
            case errors.AuthenticationError() | errors.PermissionDeniedError():
                what = f"{place} does not let us read the {repository}"
                return Missing(what, where=file, hint="set MODELSCOPE_API_TOKEN to a token that may")
            case errors.NotExistError() if file:
                return DataError(f"the {repository} no longer holds `{file}`", where=place, hint="start over: --force")
            case errors.NotExistError() | errors.InvalidParameter():
                other = "model" if repository.kind == "dataset" else "dataset"
                hint = did_you_mean(repository.id, f"is it a {other} (--kind {other})?")
                return UsageError(f"there is no {repository}", where=place, hint=hint)
        hint = f"run the same command again{': it goes on' if file else ''}; a copied folder is named by --from-dir"
        return Missing(f"{place} does not answer ({type(error).__name__})", where=file or repository.id, hint=hint)


def _file(entry: dict[str, Any]) -> RemoteFile:
    sha256 = str(entry.get("Sha256") or "").lower() or None
    # Without a digest the hub's 0 may also mean an unknown size.
    size = int(entry.get("Size") or 0) if sha256 or entry.get("Size") else None
    return RemoteFile(str(entry.get("Path") or entry.get("Name")), size, sha256=sha256)


def _commit(revision: str, entries: list[dict[str, Any]]) -> str | None:
    """The commit that the listing stands for: of the last change to one of its entries; None where none is told.

    The hub has no call that resolves a branch. A later commit can only have taken files away, so that every file
    listed has at this commit the content that the listing describes.
    """
    if COMMIT.fullmatch(revision):
        return revision
    known = {str(e["Revision"]) for e in entries if e.get("Revision")}
    dated = [(e["CommittedDate"], str(e["Revision"])) for e in entries if e.get("Revision") and e.get("CommittedDate")]
    if len(known) == 1:
        return known.pop()
    return str(max(dated)[1]) if dated and len(dated) == len(entries) else None
