"""`dr run PIPELINE`: a list of recipes, run in order, what is up to date skipped; one table at the end."""

import logging
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from cli import console, dispatch
from cli.shelf import find
from cli.stages import Stage, stage_of
from core.errors import DrError, RecipeError
from core.recipe import BaseRecipe, Part, dump, load

log = logging.getLogger(__name__)


class Step(Part):
    """One recipe of the pipeline."""

    recipe: Path
    """File, relative to the pipeline's own folder; else to where `dr` is called; else a shipped recipe's name."""
    overrides: tuple[str, ...] = ()
    """`key.sub=value` and `~key`, as on the command line."""


class Contrast(Part):
    """Two evaluations of the pipeline, held against each other when all steps are done."""

    a: Path
    """Artifact of `dr eval`."""
    b: Path
    """Another one, over the same queries: is it better?"""
    measure: str = "ndcg@10"
    """What they are compared on."""


class Pipeline(BaseRecipe):
    """Recipes in the order they are run."""

    stage: Literal["run"]
    steps: tuple[Step, ...] = Field(min_length=1)
    """What is run, in order; steps meet through the paths in their recipes."""
    compare: tuple[Contrast, ...] = ()
    """What is compared in the end: the difference of each, its 95 % interval, and whether it is more than luck."""
    then: str | None = None
    """A line shown at the end: what to do with the result. null: none."""


def run(path: Path, overrides: list[str], *, dry_run: bool, force: bool, as_json: bool) -> None:
    """Validate every step, then run them; the first that fails or misses its gate ends the run."""
    pipeline = load(path, Pipeline, overrides)
    steps = load_steps(pipeline, path.parent)
    if dry_run:
        return _show(pipeline, steps, force=force, as_json=as_json)
    outcomes: list[dispatch.Outcome] = []
    stopped = _make_all(steps, outcomes, force=force)

    def gate() -> None:
        if stopped:
            raise stopped

    then = None if stopped else pipeline.then
    compared = [] if stopped else _compare(pipeline.compare)
    fields = {
        "steps": [outcome.as_dict() for outcome in outcomes],
        "compare": [contrast.model_dump(mode="json") | found.as_dict() for contrast, found in compared],
        "then": then,
    }
    text = report(outcomes, compared, then)
    return dispatch.finish(fields, text, gate, as_json=as_json)


def _show(pipeline: Pipeline, steps: list[tuple[Stage, Any]], *, force: bool, as_json: bool) -> None:
    """Every resolved recipe, and what would be done with it now."""
    would = [dispatch.prospect(stage, recipe, force=force) for stage, recipe in steps]
    if as_json:
        recipes_ = [recipe.model_dump(mode="json") for _, recipe in steps]
        console.emit_json(steps=[{"recipe": r, "would": w} for r, w in zip(recipes_, would, strict=True)])
    else:
        console.emit("---\n".join([dump(pipeline), *(dump(recipe) for _, recipe in steps)]).rstrip())
        log.info("%s", "\n".join(f"would {line}" for line in would))


def _make_all(steps: list[tuple[Stage, Any]], outcomes: list[dispatch.Outcome], *, force: bool) -> DrError | None:
    """Make step after step, noting the outcomes; what ended it early, if anything did."""
    for stage, recipe in steps:
        try:
            outcomes.append(dispatch.make(stage, recipe, force=force))
            dispatch.hold_gate(stage, recipe)
        except DrError as error:
            return error
    return None


def load_steps(pipeline: Pipeline, folder: Path) -> list[tuple[Stage, Any]]:
    """Stage and recipe of every step.

    Raises:
        RecipeError: one of them is not there, wrong, or runs until it is stopped.
    """
    steps = []
    for number, step in enumerate(pipeline.steps, start=1):
        try:
            steps.append(_load(step, folder))
        except RecipeError as error:
            where = f"step {number} ({step.recipe}): {error.where}"
            raise RecipeError(error.what, where=where, hint=error.hint) from None
    return steps


def _load(step: Step, folder: Path) -> tuple[Stage, Any]:
    beside = folder / step.recipe
    path = beside if beside.is_file() else find(step.recipe)
    stage = stage_of(path)
    if stage.answers:
        raise RecipeError(f"`{stage.name}` runs until it is stopped: it cannot be a step", where=str(path))
    return stage, load(path, stage.recipe_model(), step.overrides)


def _compare(contrasts: tuple[Contrast, ...]) -> list[tuple[Contrast, Any]]:
    """Each contrast with its `Comparison`; the p-values know of each other."""
    if not contrasts:
        return []
    from core.eval.compare import run as compare
    from core.significance import together

    names = [f"{contrast.a} {contrast.b} {contrast.measure}" for contrast in contrasts]
    found = [next(iter(compare(contrast.a, contrast.b, [contrast.measure]).values())) for contrast in contrasts]
    adjusted = together(dict(zip(names, found, strict=True)))
    return [(contrast, adjusted[name]) for contrast, name in zip(contrasts, names, strict=True)]


def report(outcomes: list[dispatch.Outcome], compared: list[tuple[Contrast, Any]], then: str | None) -> str:
    """What was made, the scores of all evaluations side by side, their differences, and what to do next."""
    rows = [(outcome.stage, str(outcome.out), outcome.status, f"{outcome.seconds:.1f}") for outcome in outcomes]
    parts = [console.table(("stage", "artifact", "status", "seconds"), rows)]
    if scored := [outcome for outcome in outcomes if outcome.stage == "eval"]:
        names = list(dict.fromkeys(name for outcome in scored for name in _scores(outcome)))
        scores = [(outcome.out.name, *(_scores(outcome).get(name) for name in names)) for outcome in scored]
        parts.append(console.table(("evaluation", *names), scores))
    if compared:
        headers = ("A", "B", "measure", "B - A", "95 % low", "high", "Holm p", "verdict on B")
        differences = [
            (contrast.a.name, contrast.b.name, contrast.measure, c.difference, c.low, c.high, c.adjusted_p, c.verdict)
            for contrast, c in compared
        ]
        parts.append(console.table(headers, differences))
    if then:
        parts.append(f"next: {then}")
    return "\n\n".join(parts)


def _scores(outcome: dispatch.Outcome) -> dict[str, float]:
    return dict(outcome.manifest["stats"]["measures"])
