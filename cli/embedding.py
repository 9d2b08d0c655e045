"""`dr embed train RECIPE --evaluate`."""

from pathlib import Path

from cli import console
from cli.stages import STAGES, stage_of
from core.errors import RecipeError


def evaluate(path: Path, overrides: list[str], checkpoint: Path | None, *, as_json: bool) -> None:
    """Print what every checkpoint of a training scores, or the one that is named, and which are best."""
    from core.embed import sweep
    from core.recipe import load

    if (other := stage_of(path)) != STAGES["embed"]:
        raise RecipeError(f"this recipe is for `{other.line}`", where=str(path), hint="give one of `dr embed train`")
    found = sweep.run(load(path, STAGES["embed"].recipe_model(), overrides), checkpoint)
    if as_json:
        return console.emit_json(**found.as_dict())
    names = list(dict.fromkeys(name for each in found.checkpoints for name in each.scores))
    several = len(found.checkpoints) > 1
    rows = [
        [
            each.name,
            *(each.scores.get(name) for name in names),
            *([", ".join(name for name in names if found.best[name] == each.name)] if several else []),
        ]
        for each in found.checkpoints
    ]
    console.emit(console.table(["checkpoint", *names, *(["best by"] if several else [])], rows))
    if several and found.select_by in found.best:
        console.emit(f"\nbest by {found.select_by}, as the recipe chooses: {found.best[found.select_by]}")
    return None
