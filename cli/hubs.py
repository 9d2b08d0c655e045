"""What `dr data list` and `dr data download` do: the registry, the files of a repository, and one of them fetched."""

import json
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from cli import console, dispatch
from cli.shelf import find
from cli.stages import STAGES


def show_registry(*, as_json: bool) -> None:
    """Print what is known by name."""
    from core.hub.registry import REGISTRY

    if as_json:
        return console.emit_json(repositories=[entry.as_dict() for entry in REGISTRY])
    headers = ("name", "kind", "hugging face", "modelscope", "size", "licence", "what")
    rows = [
        (
            e.name,
            e.kind,
            e.huggingface,
            "same" if e.modelscope == e.huggingface else e.modelscope,
            e.size,
            e.licence,
            e.about,
        )
        for e in REGISTRY
    ]
    return console.emit(console.table(headers, rows))


def show_files(name: str, *, hub: str | None, kind: str | None, revision: str | None, as_json: bool) -> None:
    """Ask a hub for the files of one repository, and print them."""
    recipe = _recipe(name, {"hub": hub, "kind": kind, "revision": revision, "out": "none"})
    from core.hub.door import open_door
    from core.hub.named import named

    found = open_door(recipe.hub).listing(named(recipe.repository, recipe.hub, recipe.kind, recipe.revision))
    if as_json:
        return console.emit_json(**found.as_dict())
    rows = [(file.path, file.bytes) for file in found.files]
    size = sum(file.bytes or 0 for file in found.files)
    total = f"{len(rows):,} files, {size:,} bytes, {found.repository} at {found.pinned or 'its main branch'}"
    return console.emit(f"{console.table(('path', 'bytes'), rows)}\n\n{total}")


def download(name: str, options: dict[str, Any], *, dry_run: bool, force: bool, as_json: bool) -> None:
    """Make the artifact that the options describe; beside a recipe's file they override its fields."""
    stage = STAGES["download"]
    if name.endswith((".yaml", ".yml")):
        overrides = [f"{field}={json.dumps(value)}" for field, value in options.items() if value]
        return dispatch.run(stage, find(Path(name)), overrides, dry_run=dry_run, force=force, as_json=as_json)
    recipe = _recipe(name, options)
    if dry_run:
        return dispatch.show(stage, recipe, force=force, as_json=as_json)
    outcome = dispatch.make(stage, recipe, force=force)
    return dispatch.finish(outcome.as_dict(), str(outcome.out), lambda: None, as_json=as_json)


def _recipe(name: str, options: dict[str, Any]) -> Any:
    """The recipe that says the same as the options; what they do not give is the recipe's default.

    Raises:
        RecipeError: an option holds what its field does not take.
    """
    from core.recipe.explain import explain

    model = STAGES["download"].recipe_model()
    given = {field: value for field, value in options.items() if value}
    try:
        return model.model_validate({"stage": "download", "repository": name, **given})
    except ValidationError as error:
        raise explain(error, model, {(): "the command line"}) from None
