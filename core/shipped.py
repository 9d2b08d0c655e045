"""Where the recipes and the samples are that come with `dr`."""

from pathlib import Path

from core.errors import Missing


def folder() -> Path:
    """The shipped `recipes` folder: inside an installed package, else in the checkout.

    Raises:
        Missing: neither is there.
    """
    core = Path(__file__).resolve().parent
    for place in (core / "_recipes", core.parent / "recipes"):
        if place.is_dir():
            return place
    raise Missing("the shipped recipes are not here", where=str(core.parent), hint="install the package again")


def found(path: Path) -> Path:
    """`path`; where nothing is there and a shipped file has it (`recipes/sample/…`), that file."""
    if path.exists() or path.is_absolute() or path.parts[:1] != ("recipes",):
        return path
    own = folder().joinpath(*path.parts[1:])
    return own if own.exists() else path
