"""What a recipe of `dr data download` says."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, PositiveInt

from core.recipe import ArtifactRecipe, Neutral


class Recipe(ArtifactRecipe):
    """Fetch the files of a data set or a model from a hub."""

    resumes = True
    stage: Literal["download"]
    repository: Annotated[str, Field(min_length=1)]
    """A name that `dr data list` shows, or OWNER/NAME on the hub."""
    hub: Literal["huggingface", "modelscope"] = "huggingface"
    """Which hub; its address and its token come from the environment (HF_ENDPOINT, HF_TOKEN, MODELSCOPE_...)."""
    kind: Literal["dataset", "model"] | None = None
    """What the repository holds. null: as the registry knows it."""
    revision: str | None = None
    """A branch, a tag or a commit; resolved to a commit before the first byte. null: the hub's main branch."""
    include: tuple[str, ...] = ()
    """Fetch the files that match one of these; `*` is any text, a slash at the end a folder. Empty: all."""
    exclude: tuple[str, ...] = ()
    """Leave out the files that match one of these."""
    from_dir: Annotated[Path | None, Neutral()] = None
    """A folder copied from another machine, instead of the hub; see `core.hub.local`. null: ask the hub."""
    parallel: Annotated[PositiveInt, Neutral()] = 4
    """Files fetched at a time."""
