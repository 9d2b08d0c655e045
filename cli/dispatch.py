"""From a recipe file to the stage that runs it: load, make unless up to date, hold the gate, report."""

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cli import console
from cli.stages import Stage, stage_of
from core.errors import ArtifactError, DrError, RecipeError

WARNING = "warning: "
"""What a line of a check begins with that tells of something doubtful."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Outcome:
    """What running one recipe gave."""

    stage: str
    out: Path
    made: bool
    """False when it was up to date."""
    seconds: float
    manifest: dict[str, Any]

    @property
    def status(self) -> str:
        return "made" if self.made else "up to date"

    def as_dict(self) -> dict[str, Any]:
        """For `--json`."""
        return {
            "stage": self.stage,
            "out": str(self.out),
            "status": self.status,
            "seconds": round(self.seconds, 3),
            "digest": self.manifest["digest"],
            "stats": self.manifest["stats"],
        }


def run(
    stage: Stage,
    path: Path,
    overrides: list[str],
    *,
    dry_run: bool,
    force: bool,
    as_json: bool,
    way: str = "run",
) -> None:
    """Run one recipe and print its result; `way` is the function of the stage's module that does the work."""
    from core.recipe import load

    if (other := stage_of(path)) != stage:
        what = f"this recipe is for `{other.line}`, the command is `{stage.line}`"
        raise RecipeError(what, where=str(path), hint=f"{other.line} {path}")
    recipe = load(path, stage.recipe_model(), overrides)
    if dry_run:
        return show(stage, recipe, force=force, as_json=as_json)
    if stage.answers:
        stage.module().run(recipe)
        return None
    outcome = make(stage, recipe, force=force, way=way)
    return finish(outcome.as_dict(), result(outcome), lambda: hold_gate(stage, recipe), as_json=as_json)


def finish(fields: dict[str, Any], text: str, gate: Callable[[], None], *, as_json: bool) -> None:
    """Print a result, then hold it against its gate; as JSON, both are in the one object."""
    if not as_json:
        console.emit(text)
    try:
        gate()
    except DrError as error:
        error.result = fields
        raise
    if as_json:
        console.emit_json(**fields)


def make(stage: Stage, recipe: Any, *, force: bool = False, way: str = "run") -> Outcome:
    """Make the recipe's artifact unless it is up to date, after a check where the stage has one."""
    from core import artifact

    started = time.monotonic()
    if stage.checks and _is_due(artifact.prospect(recipe, force=force)):
        tell(stage.check(recipe))
    made = artifact.make(recipe, lambda recipe, work: getattr(stage.module(), way)(recipe, work), force=force)
    outcome = Outcome(stage.name, recipe.out, made, time.monotonic() - started, artifact.read(recipe.out))
    log.info("%s: %s %s (%.1f s)", stage.name, outcome.status, recipe.out, outcome.seconds)
    return outcome


def tell(seen: list[str]) -> None:
    """What a check saw, on stderr."""
    for line in seen:
        if line.startswith(WARNING):
            log.warning("%s", line.removeprefix(WARNING))
        else:
            log.info("%s", line)


def _is_due(would: str) -> bool:
    """Whether a `prospect` says that work is going to be done."""
    return not would.startswith(("stop", "do nothing"))


def hold_gate(stage: Stage, recipe: Any) -> None:
    """Hold a finished artifact against what its recipe demands.

    Raises:
        GateFailed: it misses; the artifact stays.
    """
    if stage.gates:
        stage.module().gate(recipe)


def result(outcome: Outcome) -> str:
    """What stdout shows of an outcome: the scores of an evaluation, otherwise the artifact's path."""
    if outcome.stage != "eval":
        return str(outcome.out)
    stats = outcome.manifest["stats"]
    scores = console.table(("measure", "score"), list(stats["measures"].items()))
    told = f"{scores}\n\n{stats['queries']:,} judged queries, {stats['missing']:,} without a hit"
    return "\n\n".join([told, *_rewritten(stats["rewrites"])]) if "rewrites" in stats else told


def _rewritten(stats: dict[str, Any]) -> Iterator[str]:
    """What rewritten queries change, each way to search with them against the original queries."""
    share, reasons = 100 * stats["fallback_share"], ", ".join(stats["fallbacks"])
    kept = f"; {share:.1f} % stand because the answer could not be used ({reasons})" if reasons else ""
    yield f"{stats['changed']:,} of {stats['rewrites']:,} rewrites differ from their query{kept}"
    for way, measures in stats["contrasts"].items():
        yield differences(measures, "original", way)


def differences(measures: Mapping[str, Mapping[str, Any]], a: str = "A", b: str = "B") -> str:
    """A table of `Comparison`s as plain data, by measure: b against a."""
    headers = (
        "measure",
        a,
        b,
        f"{b} - {a}",
        "95 % low",
        "high",
        "p",
        "Holm p",
        f"{b} wins",
        "loses",
        f"verdict on {b}",
    )
    names = ("mean_a", "mean_b", "difference", "low", "high", "p_value", "adjusted_p", "wins", "losses", "verdict")
    return console.table(headers, [(measure, *(found[name] for name in names)) for measure, found in measures.items()])


def prospect(stage: Stage, recipe: Any, *, force: bool) -> str:
    """What would be done with this recipe now, in words."""
    from core import artifact

    if not stage.answers:
        return artifact.prospect(recipe, force=force)
    try:
        artifact.check_inputs(recipe)
    except ArtifactError as error:
        return f"stop: {error.what} ({error.where})"
    return f"start `core.{stage.package}.{stage.verb}` and answer until stopped"


def show(stage: Stage, recipe: Any, *, force: bool, as_json: bool) -> None:
    """Print the resolved recipe and what would be done, and do nothing but look.

    Raises:
        DrError: a check of the stage says that the work would fail.
    """
    from core.recipe import dump

    would = prospect(stage, recipe, force=force)
    costs = None if would.startswith("stop") else stage.estimate(recipe)
    fields = {"recipe": recipe.model_dump(mode="json"), "would": would, "estimate": costs}
    if not as_json:
        console.emit(dump(recipe).rstrip())
        log.info("would %s", would)
        if costs:
            log.info("%s", costs)
    try:
        seen = stage.check(recipe) if _is_due(would) else []
    except DrError as error:
        error.result = fields
        raise
    if as_json:
        console.emit_json(**fields, **({"check": seen} if stage.checks else {}))
    else:
        tell(seen)
