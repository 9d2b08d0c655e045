"""Making an artifact: unless it is up to date, in a directory beside its place, finished by a rename."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from core import digest, versions
from core.artifact.ancestry import Ancestry, check_inputs
from core.artifact.files import CLAIM, LOGS, MANIFEST, SCHEMA_VERSION, beside, free_name, fsync, write_json
from core.artifact.manifest import read
from core.artifact.place import check_place
from core.artifact.workplace import alone, claimed, writing
from core.errors import ArtifactError
from core.recipe import ArtifactRecipe

R = TypeVar("R", bound=ArtifactRecipe)


@dataclass
class Work:
    """An unfinished artifact: write files under `path`, put facts in `stats`."""

    path: Path
    stats: dict[str, Any] = field(default_factory=dict)

    @property
    def logs(self) -> Path:
        """Where logs and metrics of this run go; made when first asked for."""
        (self.path / LOGS).mkdir(exist_ok=True)
        return self.path / LOGS


def make(recipe: R, build: Callable[[R, Work], None], *, force: bool = False) -> bool:
    """Let `build` fill `recipe.out`; False when it is up to date already.

    If `build` raises or the process dies, `out` stays as it was, and `.partial` as the stage can use it. (Killed just
    between the two renames that end a `force`, the old one is `.previous`, the new one a whole `.partial`.)

    Raises:
        ArtifactError: an input is unusable, `out` is in the way, another run is making it, or `.partial` is another's.
        DrError: the disk is full or the output cannot be written.
    """
    check_place(recipe)
    ancestry = Ancestry.of(recipe)
    partial = beside(recipe.out, "partial")
    with writing(recipe.out, partial):
        if not force and _up_to_date(recipe, ancestry):
            return False
        with alone(partial, recipe.out if not force else None), claimed(partial, recipe, ancestry, force=force):
            started, work = time.monotonic(), Work(partial)
            build(recipe, work)
            ancestry.check_unchanged()
            _finish(recipe, ancestry, work, time.monotonic() - started, force=force)
    return True


def prospect(recipe: ArtifactRecipe, *, force: bool = False) -> str:
    """What `make` would do with this recipe now, in words; does nothing. Digests sources only for an existing `out`."""
    out = recipe.out
    try:
        if out.exists() and not force:
            return f"do nothing: {out} is up to date" if _up_to_date(recipe, Ancestry.of(recipe)) else f"make {out}"
        check_place(recipe)
        check_inputs(recipe)
    except ArtifactError as error:
        return f"stop: {error.what} ({error.where})"
    goes_on = recipe.resumes and not force and beside(out, "partial").exists()
    return f"go on with {out}" if goes_on else f"make {out}"


def _up_to_date(recipe: ArtifactRecipe, ancestry: Ancestry) -> bool:
    out = recipe.out
    if not out.exists():
        return False
    manifest = read(out)
    if manifest["stage"] != recipe.stage:
        what = f"the output is an artifact of `{manifest['stage']}`, this recipe is one of `{recipe.stage}`"
        raise ArtifactError(what, where=str(out), hint="choose another `out:`")
    if changed := ancestry.differences(manifest):
        raise ArtifactError(
            f"the output was made by another recipe ({'; '.join(changed)})",
            where=str(out),
            hint="choose another `out:`, or replace it with --force (the old one is kept as .previous)",
        )
    return True


def _finish(recipe: ArtifactRecipe, ancestry: Ancestry, work: Work, seconds: float, *, force: bool) -> None:
    files: dict[str, dict[str, Any]] = {
        str(path.relative_to(work.path)): {"bytes": path.stat().st_size, "sha256": digest.of_file(path)}
        for path in sorted(p for p in work.path.rglob("*") if p.is_file())
        if path.parent != work.path or path.name not in {CLAIM, MANIFEST}
    }
    manifest = {
        "schema_version": SCHEMA_VERSION,
        "stage": recipe.stage,
        "digest": digest.of_files({n: f["sha256"] for n, f in files.items() if not n.startswith(f"{LOGS}/")}),
        "recipe": recipe.model_dump(mode="json"),
        **ancestry.as_dict(),
        "resumes": recipe.resumes,
        "files": files,
        "stats": work.stats,
        "made": {"at": datetime.now(UTC).isoformat(timespec="seconds"), "seconds": round(seconds, 3)},
        "versions": versions.loaded(),
    }
    write_json(work.path / MANIFEST, manifest)
    (work.path / CLAIM).unlink()
    for path in (*work.path.rglob("*"), work.path):
        fsync(path)
    if recipe.out.exists() and force:
        recipe.out.rename(free_name(recipe.out))
    if recipe.out.exists():
        raise ArtifactError("the output appeared while it was made", where=str(recipe.out))
    work.path.rename(recipe.out)
    fsync(recipe.out.parent)
