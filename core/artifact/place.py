"""Where an output may be made: not over what `dr` did not make, not in or around what it is made from."""

import os
from pathlib import Path

from core.artifact.files import MANIFEST
from core.errors import ArtifactError
from core.recipe import ArtifactRecipe

_OTHER = "choose another `out:`"


def check_place(recipe: ArtifactRecipe) -> None:
    """Look at `out` before anything is read or moved; holds for `force` too.

    Raises:
        ArtifactError: something else lies there, it holds or is an input, or it lies inside a finished artifact.
    """
    out = recipe.out.resolve()
    for name, path in [*((item.name, item.path) for item in recipe.inputs()), *recipe.source_files().items()]:
        if path.resolve().is_relative_to(out):
            raise ArtifactError(f"the output would replace its own `{name}`", where=str(path), hint=_OTHER)
    # Not Path.exists, which raises for a folder one may not enter: that is told when it is written to.
    if os.path.exists(out) and not (out / MANIFEST).exists():  # noqa: PTH110
        raise ArtifactError("this was not made by `dr`", where=str(recipe.out), hint=_OTHER)
    if inside := next((parent for parent in out.parents if _is_finished(parent)), None):
        raise ArtifactError("the output would lie inside a finished artifact", where=str(inside), hint=_OTHER)


def _is_finished(folder: Path) -> bool:
    try:
        return (folder / MANIFEST).exists()
    except OSError:  # a folder one may not look into
        return False
