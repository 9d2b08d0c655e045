"""Names and files that all parts of an artifact's life share."""

import json
import os
from pathlib import Path
from typing import Any

from core.errors import ArtifactError

SCHEMA_VERSION = 1
MANIFEST = "manifest.json"
CLAIM = "recipe.json"
"""What an unfinished artifact is to become; the manifest takes its place in the end."""

LOGS = "logs"
"""Folder inside an artifact for what differs from run to run; left out of the artifact's digest."""


def beside(out: Path, word: str) -> Path:
    whole = out if out.name not in {"", ".."} else out.resolve()
    return whole.parent / f"{whole.name}.{word}"  # `with_name` refuses the root


def free_name(out: Path) -> Path:
    name, count = beside(out, "previous"), 1
    while name.exists():
        count += 1
        name = beside(out, f"previous-{count}")
    return name


def read_json(path: Path) -> dict[str, Any]:
    """Raises ArtifactError when the file does not hold a JSON object, OSError when it cannot be read."""
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, TypeError):
        hint = "move its directory away and make it again"
        raise ArtifactError("the file is damaged: no JSON object", where=str(path), hint=hint) from None


def write_json(path: Path, value: Any) -> None:
    """Write `value` as readable JSON; the file is whole or absent."""
    temporary = path.with_name(f"{path.name}.tmp")
    temporary.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    temporary.replace(path)


def fsync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
