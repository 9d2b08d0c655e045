"""The Hugging Face hub and its mirrors, through `huggingface_hub`.

The library reads HF_ENDPOINT, HF_TOKEN, HF_HOME, HF_HUB_CACHE, HF_HUB_OFFLINE and the time limits HF_HUB_ETAG_TIMEOUT
and HF_HUB_DOWNLOAD_TIMEOUT itself, follows redirects, and sends the token to the hub alone.
"""

import contextlib
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import huggingface_hub
from huggingface_hub import constants, errors, utils

from core.errors import DataError, DrError, Missing, UsageError
from core.hub import checksum
from core.hub.address import without_secrets
from core.hub.door import Door
from core.hub.listing import Listing, RemoteFile, Repository, listing
from core.hub.local import Folder
from core.hub.named import did_you_mean
from core.lazy import require

AGAIN = "run the same command again: it goes on, and files that are whole are not fetched twice"


_library: Any = huggingface_hub
_utils: Any = utils


@dataclass(frozen=True)
class HuggingFace:
    """The hub at HF_ENDPOINT."""

    resumes_files: bool = False

    @property
    def place(self) -> str:
        return without_secrets(constants.ENDPOINT)

    def listing(self, repository: Repository) -> Listing:
        # One request for commit and files: a push between two would mix them. It is also the one with a time limit.
        with told(repository, self.place):
            info = _library.HfApi().repo_info(
                repository.id,
                repo_type=repository.kind,
                revision=repository.revision,
                files_metadata=True,
                timeout=constants.HF_HUB_DOWNLOAD_TIMEOUT,
            )
        return listing(repository, info.sha, [_file(sibling) for sibling in info.siblings or []])

    def fetch(self, listing: Listing, file: RemoteFile, folder: Path) -> Path:
        place = {"repo_id": listing.repository.id, "repo_type": listing.repository.kind, "revision": listing.commit}
        cached = _library.try_to_load_from_cache(filename=file.path, **place)
        if isinstance(cached, str) and checksum.fault(Path(cached), file) is None:
            return Folder.copy(Path(cached), folder / file.path)
        with told(listing.repository, self.place, file.path):
            # Without a cache of its own: what is whole there was taken above, the rest would come damaged every time.
            none = folder / ".none"
            return Path(_library.hf_hub_download(filename=file.path, local_dir=folder, cache_dir=none, **place))


def door() -> Door:
    """The hub, or under HF_HUB_OFFLINE the cache that the library keeps of it."""
    _utils.disable_progress_bars()
    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)
    return Folder(Path(constants.HF_HUB_CACHE), offline=True) if constants.HF_HUB_OFFLINE else HuggingFace()


def _file(sibling: Any) -> RemoteFile:
    if sibling.lfs is not None:
        return RemoteFile(sibling.rfilename, sibling.lfs.size, sha256=sibling.lfs.sha256)
    return RemoteFile(sibling.rfilename, sibling.size, git_sha1=sibling.blob_id)


@contextlib.contextmanager
def told(repository: Repository, place: str, file: str | None = None) -> Iterator[None]:
    """The library's failures as our sentences."""
    # The library's transport is requests, httpx or httpx2, by its version.
    transport = require(type(huggingface_hub.get_session()).__module__.partition(".")[0])
    try:
        yield
    except errors.LocalEntryNotFoundError as error:  # a file's first request failed, also after retries
        raise _sentence(error.__cause__ or error, repository, place, file) from None
    except (errors.HfHubHTTPError, errors.HFValidationError) as error:
        raise _sentence(error, repository, place, file) from None
    except transport.TransportError as error:
        raise _sentence(error, repository, place, file) from None
    except OSError as error:
        if error.errno is not None or file is None:
            raise
        raise _broken(file, place, str(error)) from None


def _sentence(error: BaseException, repository: Repository, place: str, file: str | None) -> DrError:
    status = error.response.status_code if isinstance(error, errors.HfHubHTTPError) else None
    match error:
        case errors.GatedRepoError():
            return Missing(
                f"the {repository} is gated: its owner asks for consent first",
                where=f"{place}/{'datasets/' if repository.kind == 'dataset' else ''}{repository.id}",
                hint="accept its terms on that page, then set HF_TOKEN to a token of the same account",
            )
        case errors.RevisionNotFoundError():
            what = f"the {repository} has no revision `{repository.revision}`"
            return UsageError(what, where=place, hint="give a branch, a tag or a whole commit id")
        case errors.RemoteEntryNotFoundError():
            return DataError(f"the {repository} no longer holds `{file}`", where=place, hint="start over with --force")
        case errors.HFValidationError():
            what = f"`{repository.id}` cannot be the name of a repository"
            return UsageError(what, hint=did_you_mean(repository.id, "a name is OWNER/NAME"))
    if status in {401, 403}:
        what = f"{place} does not let us read the {repository} ({status})"
        hint = "set HF_TOKEN to a token that may; a name that does not exist is answered in the same way"
        return Missing(what, where=file, hint=did_you_mean(repository.id, hint))
    if status == 404:
        other = "model" if repository.kind == "dataset" else "dataset"
        hint = f"is it a {other} (--kind {other})? is it private (set HF_TOKEN)?"
        return UsageError(f"there is no {repository}", where=place, hint=did_you_mean(repository.id, hint))
    if file and type(error).__name__ in {"RemoteProtocolError", "ChunkedEncodingError"}:
        return _broken(file, place, str(error))
    said = f"HTTP {status}" if status else f"{type(error).__name__}: {error}".rstrip(": ")
    hint = f"{AGAIN if file else 'try again'}; a mirror is named by HF_ENDPOINT, a copied folder by --from-dir"
    if "Timeout" in said:
        hint += "; HF_HUB_DOWNLOAD_TIMEOUT is how many seconds it is waited for"
    return Missing(f"{place} does not answer ({said})", where=file or repository.id, hint=hint)


def _broken(file: str, place: str, said: str) -> DataError:
    return DataError(f"`{file}` did not arrive whole: {said.splitlines()[0]}", where=place, hint=AGAIN)
