"""`dr serve llm`: stdout gets the address when the model answers, and nothing else."""

import logging
from pathlib import Path
from typing import Any

from cli import console
from cli.stages import STAGES
from core.errors import DrError

log = logging.getLogger(__name__)


def llm(path: Path, overrides: list[str], *, dry_run: bool, as_json: bool) -> None:
    """Serve a model until stopped."""
    from core.recipe import load

    stage = STAGES["llm"]
    recipe = load(path, stage.recipe_model(), overrides)
    if dry_run:
        return _show(stage.module(), recipe, as_json=as_json)

    def ready(server: Any) -> None:
        if as_json:
            fields = {"models": server.models, "engine": str(server.engine), "log": recipe.log_path}
            console.emit_json(base_url=server.base_url, **fields)
        else:
            console.emit(server.base_url)

    stage.module().run(recipe, ready)
    return None


def _show(module: Any, recipe: Any, *, as_json: bool) -> None:
    from core.recipe import dump

    try:
        would = f"run {module.plan(recipe)}"
    except DrError as error:
        would = f"stop: {error.what} ({error.where or error.hint})"
    if as_json:
        console.emit_json(recipe=recipe.model_dump(mode="json"), would=would, estimate=None)
    else:
        console.emit(dump(recipe).rstrip())
        log.info("would %s", would)
