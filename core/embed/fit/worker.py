"""One of several processes of a training: `torchrun --module core.embed.fit.worker FOLDER`."""

import sys
from pathlib import Path
from typing import Any

from torch import distributed

from core import worker
from core.embed.fit import launch, run
from core.embed.recipe import Recipe
from core.embed.rows.read import read


def train(given: dict[str, Any], folder: Path) -> None:
    """The part of a process in the training of the recipe that it is given."""
    recipe = Recipe.model_validate(given)
    try:
        run.run(recipe, launch.taught(recipe, read(recipe), folder), folder)
    finally:
        if distributed.is_initialized():
            distributed.destroy_process_group()


if __name__ == "__main__":
    sys.exit(worker.main(train, Path(sys.argv[1])))
