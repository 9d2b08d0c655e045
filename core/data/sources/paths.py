"""Files as a recipe names them: one, a pattern, or a list of both."""

import glob
from collections.abc import Iterable
from pathlib import Path

from core.errors import UsageError
from core.formats.qrels import in_order


def named(name: str, given: Path | tuple[Path, ...]) -> dict[str, Path]:
    """The files that field `name` gives, by names of their own; a pattern that fits none is given as it stands."""
    if isinstance(given, tuple):
        return {n: path for index, entry in enumerate(given) for n, path in named(f"{name}.{index}", entry).items()}
    found = _fitting(given)
    return {name: found[0]} if len(found) == 1 else {f"{name}.{index}": path for index, path in enumerate(found)}


def all_of(given: Path | tuple[Path, ...]) -> list[Path]:
    """Every file that is given, in the order given; those of a pattern in order of name.

    Raises:
        UsageError: none, or one twice.
    """
    found = list(named("", given).values())
    if not found:
        raise UsageError("the list of files is empty", hint="name at least one file")
    for place, path in enumerate(found):
        if path in found[:place]:
            raise UsageError("the file is named twice", where=str(path), hint="name it once")
    return found


def by_split(path: Path, suffixes: Iterable[str], only: str) -> list[tuple[str, Path]]:
    """Split and file of judgements: `path` itself is the split `only`; in a folder, files are named for their splits.

    Raises:
        UsageError: there is nothing at `path`, or no such file in the folder.
    """
    if not path.is_dir():
        return [(only, path)]
    endings = tuple(suffixes)
    found = sorted(file for file in path.iterdir() if file.suffix in endings)
    order = in_order(file.stem for file in found)
    if not found:
        hint = f"name them {', '.join(f'<split>{ending}' for ending in endings)}"
        raise UsageError("no judgements are here", where=str(path), hint=hint)
    return sorted(((file.stem, file) for file in found), key=lambda pair: order.index(pair[0]))


def _fitting(path: Path) -> list[Path]:
    if path.exists() or not glob.has_magic(str(path)):
        return [path]
    parts = path.parts
    first = next(place for place, part in enumerate(parts) if glob.has_magic(part))
    return sorted(Path(*parts[:first]).glob("/".join(parts[first:]))) or [path]
