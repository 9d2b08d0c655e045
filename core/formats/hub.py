"""Data sets of Hugging Face: folders that `datasets` saved (`save_to_disk`), and files as they lie on a hub.

A set has configurations (`corpus`, `queries`, `default`), each has splits, each has files. A configuration is listed
in the head of README.md (`configs`), or is a folder, or files of its name: `data/corpus-00000-of-00002.parquet`.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from core.errors import DataError, UsageError

_KINDS = (".parquet", ".arrow", ".jsonl", ".json", ".csv", ".tsv")
_SHARD = re.compile(r"[-_.]\d{4,}(-of-\d+)?(-[0-9a-f]{8,})?$")
_HEAD = re.compile(r"\A---\s*\n(.*?)\n---", re.DOTALL)
_LIST, _STATE, _README = "dataset_dict.json", "state.json", "README.md"
_ABOUT = {_LIST, _STATE, "dataset_info.json", "dataset_infos.json", "manifest.json"}
"""Files that say something of a set, and hold no rows of it."""


def files(folder: Path, configuration: str) -> list[tuple[str, Path]]:
    """Split and file of everything in a configuration, in order of name; empty where there is no such one.

    Raises:
        UsageError: no such folder.
        DataError: a file of the set that says what is in it cannot be read, or names what is not there.
    """
    if not folder.is_dir():
        raise UsageError(
            "there is no such folder", where=str(folder), hint="paths are relative to where `dr` is called"
        )
    return _listed(folder, configuration) or _inside(folder / configuration) or _named(folder, configuration)


def loose(folder: Path) -> list[tuple[str, Path]]:
    """Split and file of the data files that lie in `folder` itself, each named for its split."""
    return [(_stem(path), path) for path in sorted(folder.iterdir()) if _kind(path) and path.is_file()]


def _listed(folder: Path, configuration: str) -> list[tuple[str, Path]]:
    """What the head of README.md says."""
    readme = folder / _README
    head = _HEAD.match(readme.read_text(encoding="utf-8", errors="replace")) if readme.exists() else None
    try:
        said = yaml.safe_load(head[1]) if head else None
    except yaml.YAMLError as error:
        raise DataError(f"its head is not valid YAML: {str(error).splitlines()[0]}", where=str(readme)) from None
    for entry in (said.get("configs") or []) if isinstance(said, dict) else []:
        if isinstance(entry, dict) and entry.get("config_name") == configuration:
            patterns = list(_patterns(entry.get("data_files"), configuration))
            try:
                return [(split, path) for split, pattern in patterns for path in sorted(folder.glob(pattern))]
            except (NotImplementedError, ValueError) as error:  # an absolute one, an empty one
                raise DataError(f"a pattern in its head fits no file: {error}", where=str(readme)) from None
    return []


def _patterns(said: Any, split: str) -> Iterator[tuple[str, str]]:
    """Split and pattern of each entry: one pattern, a list, {split: patterns}, or [{split, path}]."""
    if isinstance(said, str):
        yield split, said
    elif isinstance(said, list):
        for entry in said:
            yield from _patterns(entry, split)
    elif isinstance(said, dict) and "path" in said:
        yield from _patterns(said["path"], str(said.get("split") or split))
    elif isinstance(said, dict):
        for name, inner in said.items():
            yield from _patterns(inner, str(name))


def _inside(folder: Path) -> list[tuple[str, Path]]:
    if not folder.is_dir():
        return []
    if (folder / _LIST).exists():
        names = _json(folder / _LIST, "splits")
        return [(name, path) for name in names for path in _saved(folder / name)]
    if (folder / _STATE).exists():
        return [(folder.name, path) for path in _saved(folder)]
    return loose(folder)


def _saved(folder: Path) -> list[Path]:
    """The files of one data set that was saved."""
    paths = [folder / str(entry["filename"]) for entry in _json(folder / _STATE, "_data_files")]
    for path in paths:
        if not path.exists():
            raise DataError("the data set is not whole: a file is missing", where=str(path), hint="copy it again")
    return paths


def _json(path: Path, name: str) -> list[Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))[name]
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise DataError(f"this is no data set that `datasets` saved: {error}", where=str(path)) from None
    return list(found)


def _named(folder: Path, configuration: str) -> list[tuple[str, Path]]:
    places = (place for place in (folder, folder / "data") if place.is_dir())
    return [(split, path) for place in places for split, path in loose(place) if split == configuration]


def _kind(path: Path) -> str:
    name = path.name.lower().removesuffix(".gz")
    return next((kind for kind in _KINDS if name.endswith(kind) and name not in _ABOUT), "")


def _stem(path: Path) -> str:
    """The split that a file is named for: `train` of train-00000-of-00002.parquet and of train.jsonl.gz."""
    name = path.name[: path.name.lower().rindex(_kind(path))]
    return _SHARD.sub("", name)
