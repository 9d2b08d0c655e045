"""Where the recipes and the sample corpus are that come with `dr`."""

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
