"""Reading finished artifacts: are they there, of the right stage, and as they were made?"""

from pathlib import Path
from typing import Any

from core import digest
from core.artifact.files import MANIFEST, beside, read_json
from core.errors import ArtifactError, ContractError


def read(path: Path, stages: tuple[str, ...] = ()) -> dict[str, Any]:
    """The manifest of a finished artifact, made by one of `stages` when given.

    Raises:
        ArtifactError: absent, unfinished, of another stage, or its files are not those of the manifest (by size).
    """
    try:
        manifest = read_json(path / MANIFEST)
    except (FileNotFoundError, NotADirectoryError):
        raise _no_artifact(path) from None
    except OSError as error:
        raise ArtifactError(f"the manifest cannot be read: {error.strerror}", where=str(path / MANIFEST)) from None
    if missing := {"stage", "identity", "inputs", "sources", "files", "digest"} - manifest.keys():
        what = f"this manifest is not one of `dr`: it has no `{min(missing)}`"
        raise ArtifactError(what, where=str(path / MANIFEST), hint="choose another directory")
    if stages and manifest["stage"] not in stages:
        wanted = " or ".join(f"`{stage}`" for stage in stages)
        raise ArtifactError(f"an artifact of {wanted} is needed, this is one of `{manifest['stage']}`", where=str(path))
    for name, facts in manifest["files"].items():
        if not (path / name).is_file() or (path / name).stat().st_size != facts["bytes"]:
            raise ArtifactError(
                f"`{name}` is not as the manifest says ({facts['bytes']:,} bytes)",
                where=str(path),
                hint="it was changed or lost by hand; make it again with --force",
            )
    return manifest


def verify(path: Path) -> dict[str, Any]:
    """Like `read`, and every file's digest is compared.

    Raises:
        ContractError: a file's content is not what was made.
    """
    manifest = read(path)
    for name, facts in manifest["files"].items():
        if (seen := digest.of_file(path / name)) != facts["sha256"]:
            raise ContractError(
                f"`{name}` was changed after it was made: its sha256 begins {seen[:12]}, not {facts['sha256'][:12]}",
                where=str(path),
            )
    return manifest


def _no_artifact(path: Path) -> ArtifactError:
    if beside(path, "partial").exists():
        return ArtifactError("the input is not finished", where=str(path), hint="run its stage again: it resumes")
    if path.exists():
        return ArtifactError("this is not an artifact: it has no manifest.json", where=str(path))
    return ArtifactError("the input does not exist", where=str(path), hint="run the stage that makes it first")
