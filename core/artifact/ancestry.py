"""Where an artifact comes from, and what has changed since."""

import contextlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core import digest
from core.artifact.files import CLAIM, MANIFEST, beside, read_json
from core.artifact.manifest import read
from core.errors import ArtifactError
from core.recipe import ArtifactRecipe, BaseRecipe


@dataclass(frozen=True)
class Ancestry:
    """What decides an artifact's content: the fields of its recipe, its input artifacts, its source files."""

    identity: dict[str, Any]
    inputs: dict[str, dict[str, str]]
    sources: dict[str, dict[str, Any]]

    @classmethod
    def of(cls, recipe: ArtifactRecipe) -> "Ancestry":
        """Read every input's manifest and digest every source file.

        Raises:
            ArtifactError: an input is absent, unfinished or of another stage; a source file is absent.
        """
        inputs = {}
        for item in recipe.inputs():
            manifest = read(item.path, item.mark.stages)
            inputs[item.name] = {"path": str(item.path), "stage": manifest["stage"], "digest": manifest["digest"]}
        known = _known_sources(recipe.out)
        sources = {name: _source_facts(name, path, known.get(name)) for name, path in recipe.source_files().items()}
        return cls(recipe.identity(), inputs, sources)

    def differences(self, old: dict[str, Any]) -> list[str]:
        """What separates this from the ancestry recorded in `old`, in words."""
        before, now = old["identity"], self.identity
        names = sorted(k for k in before.keys() | now.keys() if before.get(k) != now.get(k))
        found = [f"{k}: {_shown(before.get(k))} → {_shown(now.get(k))}" for k in names]
        found += _made_anew(old["inputs"], self.inputs, "digest")
        return found + _made_anew(old["sources"], self.sources, "sha256")

    def as_dict(self) -> dict[str, Any]:
        return {"identity": self.identity, "inputs": self.inputs, "sources": self.sources}

    def check_unchanged(self) -> None:
        """Raises ArtifactError when an input or a source file changed while the stage ran."""
        for name, made in self.inputs.items():
            if read(Path(made["path"]))["digest"] != made["digest"]:
                raise ArtifactError(f"`{name}` was made anew meanwhile", where=made["path"], hint="run it again")
        for name, facts in self.sources.items():
            if not _has_stamp(Path(facts["path"]), facts["stamp"]):
                raise ArtifactError(f"`{name}` changed while it was read", where=facts["path"], hint="run it again")


def _shown(value: Any) -> str:
    """As a recipe writes it."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def check_inputs(recipe: BaseRecipe) -> None:
    """Raises ArtifactError when an input or a source file is absent or of the wrong kind; reads no content."""
    for item in recipe.inputs():
        read(item.path, item.mark.stages)
    for name, path in recipe.source_files().items():
        if not path.exists():
            raise ArtifactError(f"`{name}` cannot be read: there is no such file", where=str(path))


def _has_stamp(path: Path, stamp: list[int]) -> bool:
    try:
        return digest.stamp(path) == stamp
    except OSError:  # it is gone
        return False


def _made_anew(old: dict[str, Any], new: dict[str, Any], key: str) -> list[str]:
    names = sorted(old.keys() | new.keys())
    return [f"{n}: has other content" for n in names if old.get(n, {}).get(key) != new.get(n, {}).get(key)]


def _known_sources(out: Path) -> dict[str, Any]:
    """What an earlier run recorded of its source files, so that an unchanged 1 GB file is not digested again."""
    for path in (out / MANIFEST, beside(out, "partial") / CLAIM):
        with contextlib.suppress(OSError, ArtifactError):
            return dict(read_json(path).get("sources", {}))
    return {}


def _source_facts(name: str, path: Path, known: dict[str, Any] | None) -> dict[str, Any]:
    if path.exists() and not (path.is_file() or path.is_dir()):
        raise ArtifactError(f"`{name}` is a pipe or a device, a file is needed", where=str(path))
    try:
        stamp = digest.stamp(path)
        if known and known["path"] == str(path) and known["stamp"] == stamp:
            return known
        return {"path": str(path), "stamp": stamp, "sha256": digest.of_tree(path)}
    except OSError as error:
        raise ArtifactError(f"`{name}` cannot be read: {error.strerror}", where=str(path)) from None
