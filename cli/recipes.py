"""`dr recipe`: list, copy, show and validate."""

import logging
from pathlib import Path
from typing import Any

from cli import console
from cli.pipeline import Pipeline, load_steps
from cli.shelf import find, shipped_recipes
from cli.stages import stage_of
from core.errors import RecipeError, UsageError

log = logging.getLogger(__name__)


def ls(*, as_json: bool) -> None:
    """Print the shipped recipes with the sentence at their top."""
    rows = [(name, _first_comment(path)) for name, path in shipped_recipes()]
    if as_json:
        console.emit_json(recipes=[{"name": name, "what": what} for name, what in rows])
    else:
        console.emit(console.table(("recipe", "what it is for"), rows))


def cp(name: str, file: Path) -> None:
    """Copy a shipped recipe to `file`, which must not exist."""
    source = find(Path(name))
    target = file / source.name if file.is_dir() else file
    try:
        with target.open("x", encoding="utf-8") as out:
            out.write(source.read_text(encoding="utf-8"))
    except FileExistsError:
        raise UsageError("the file exists, and is not overwritten", where=str(target)) from None
    except OSError as error:
        raise UsageError(f"cannot write the recipe: {error.strerror}", where=str(target)) from None
    console.emit(str(target))


def show(path: Path, overrides: list[str]) -> None:
    """Print the resolved recipe with the meaning of every field."""
    from core.recipe import load
    from core.recipe.describe import annotated

    console.emit(annotated(load(path, _model(path), overrides)))


def validate(files: list[Path]) -> None:
    """Load every file; the first fault of each is told, and one is enough to fail."""
    faults = [fault for file in files if (fault := _fault(file))]
    for fault in faults[:-1]:
        log.error("%s", fault.render())
    if faults:
        raise faults[-1]
    console.emit(f"{len(files)} valid")


def _fault(file: Path) -> RecipeError | None:
    from core.recipe import load

    try:
        path = find(file)
        recipe = load(path, _model(path))
        if recipe.stage == "run":
            load_steps(recipe, path.parent)
    except RecipeError as error:
        return error
    return None


def _model(path: Path) -> Any:
    """The pydantic model for the stage that the recipe names."""
    from core.recipe import load_stage

    if load_stage(path) == "run":
        return Pipeline
    return stage_of(path).recipe_model()


def _first_comment(path: Path) -> str:
    first = path.read_text(encoding="utf-8").partition("\n")[0]
    return first.lstrip("# ") if first.startswith("#") else ""
