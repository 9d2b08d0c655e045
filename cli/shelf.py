"""Where a recipe is looked for, and which ones come with `dr`."""

from collections.abc import Iterator
from pathlib import Path

from core import shipped
from core.errors import RecipeError


def find(path: Path) -> Path:
    """A recipe by its path, or a shipped one by its name (`quickstart`, `data/tiny`).

    Raises:
        RecipeError: there is neither.
    """
    if path.is_file():
        return path
    named = shipped.folder() / path.with_suffix(".yaml")
    if named.is_file():
        return named
    if path.is_dir():
        hint = "first a recipe (`dr recipe ls`), then the folder as one of its fields, such as `checkpoint=FOLDER`"
        raise RecipeError("a recipe is a file, this is a folder", where=str(path), hint=hint)
    raise RecipeError("there is no such recipe", where=str(path), hint="`dr recipe ls` lists the shipped ones")


def shipped_recipes() -> Iterator[tuple[str, Path]]:
    """Name and file of every shipped recipe."""
    for path in sorted(shipped.folder().rglob("*.yaml")):
        yield str(path.relative_to(shipped.folder()).with_suffix("")), path
