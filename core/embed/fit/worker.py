"""One of several processes of a training: `torchrun --module core.embed.fit.worker FOLDER`."""

import contextlib
import json
import logging
import sys
from pathlib import Path

from torch import distributed

from core.embed.fit import launch, run
from core.embed.recipe import Recipe
from core.embed.rows.read import read
from core.errors import DrError


def main(folder: Path) -> int:
    """Train; what went wrong stands in `FOLDER/torchrun/error.json`, of the process that said so first."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")  # stderr, which is the log
    place = folder / launch.FOLDER
    try:
        recipe = Recipe.model_validate_json((place / launch.RECIPE).read_text(encoding="utf-8"))
        run.run(recipe, launch.taught(recipe, read(recipe), folder), folder)
    except DrError as error:
        sys.stderr.write(f"{error.render()}\n")
        with contextlib.suppress(FileExistsError), (place / launch.ERROR).open("x", encoding="utf-8") as file:
            json.dump(launch.written(error), file)
        return error.exit_code
    finally:
        if distributed.is_initialized():
            distributed.destroy_process_group()
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
