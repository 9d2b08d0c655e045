"""From a YAML file to a validated recipe, and back."""

from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar, get_args

import yaml
from pydantic import ValidationError

from core.errors import RecipeError
from core.recipe import source
from core.recipe.explain import explain
from core.recipe.model import BaseRecipe

R = TypeVar("R", bound=BaseRecipe)


def load(path: Path, model: type[R], overrides: Sequence[str] = ()) -> R:
    """Read, override and validate.

    Raises:
        RecipeError: unreadable file, bad YAML, another stage's recipe, unknown or invalid field; names the line.
    """
    data, places = source.read(path, overrides)
    (expected,) = get_args(model.model_fields["stage"].annotation)
    if (stage := data.get("stage")) != expected:
        seen = f"a recipe of `{stage}`" if stage else "no recipe of ours: it has no `stage`"
        raise RecipeError(
            f"this is {seen}, the command needs one of `{expected}`",
            where=places.get(("stage",), str(path)),
            hint=f"`dr recipe ls` lists the shipped recipes of `{expected}`",
        )
    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise explain(error, model, places) from None


def load_stage(path: Path) -> str:
    """The stage that the recipe at `path` is for.

    Raises:
        RecipeError: it names none.
    """
    data, _ = source.read(path)
    if not isinstance(data.get("stage"), str):
        raise RecipeError("the recipe names no `stage`", where=str(path), hint="its first line is `stage: data`, say")
    return str(data["stage"])


def dump(recipe: BaseRecipe) -> str:
    """The resolved recipe as YAML, every default written out; loads back to an equal recipe."""
    return yaml.safe_dump(recipe.model_dump(mode="json"), sort_keys=False, allow_unicode=True)
