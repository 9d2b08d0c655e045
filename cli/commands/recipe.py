"""`dr recipe`."""

from pathlib import Path
from typing import Annotated

import typer

from cli.tree import Json, Overrides, RecipeFile
from cli.tree import recipe as recipe_group


@recipe_group.command("ls")
def recipe_ls(json: Json = False) -> None:
    """List the shipped recipes."""
    from cli import recipes

    recipes.ls(as_json=json)


@recipe_group.command("cp")
def recipe_cp(
    name: Annotated[str, typer.Argument(help="A shipped recipe, as `dr recipe ls` names it.")],
    file: Annotated[Path, typer.Argument(help="Where to write it; an existing file is never overwritten.")],
) -> None:
    """Copy a shipped recipe, to edit it."""
    from cli import recipes

    recipes.cp(name, file)


@recipe_group.command("show")
def recipe_show(recipe: RecipeFile, overrides: Overrides = None) -> None:
    """Print a recipe with every default and what each field means."""
    from cli import recipes
    from cli.shelf import find

    recipes.show(find(recipe), overrides or [])


@recipe_group.command("validate")
def recipe_validate(
    files: Annotated[list[Path], typer.Argument(metavar="RECIPE...", help="Recipes of any stage.")],
) -> None:
    """Check recipes without running them; exit 2 when one is wrong."""
    from cli import recipes

    recipes.validate(files)
