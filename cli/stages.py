"""Which modules serve which stage. The one table behind the commands, `dr run` and `dr recipe`."""

from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from core.errors import RecipeError


@dataclass(frozen=True)
class Stage:
    """A stage by its own word, as recipes name it."""

    name: str
    command: str
    """Its verb on the command line: `dr <group> <command> RECIPE`. Empty: it has no group, `dr <stage> RECIPE`."""
    package: str
    """Where it lives under `core`: a package with `recipe.Recipe`."""
    verb: str
    """The module of that package with `run(recipe, work)`, or `run(recipe)` when the stage only answers."""
    answers: bool = False
    """Whether it runs until stopped instead of making an artifact."""
    estimates: bool = False
    """Whether its module `estimate` says before the first step, by `run(recipe)`, what the work will cost."""
    checks: bool = False
    """Whether its module `check` looks, by `run(recipe)`, at all that can be known before the work starts, and says
    what it saw, a line each; `--dry-run` does so too."""
    gates: bool = False
    """Whether its module holds a finished artifact, by `gate(recipe)`, against what the recipe demands."""

    @property
    def line(self) -> str:
        """The command that runs its recipes."""
        return f"dr {self.package.split('.')[0]} {self.command}".rstrip()

    def recipe_model(self) -> Any:
        """The pydantic model of its recipes."""
        return import_module(f"core.{self.package}.recipe").Recipe

    def module(self) -> Any:
        """The module that does the work; imports what the work needs."""
        return import_module(f"core.{self.package}.{self.verb}")

    def check(self, recipe: Any) -> list[str]:
        """What can be known before the work starts, a line each; none where nothing is checked.

        Raises:
            DrError: the work would fail.
        """
        return list(import_module(f"core.{self.package}.check").run(recipe)) if self.checks else []

    def estimate(self, recipe: Any) -> str | None:
        """What the work will cost, in words; None where that is not known beforehand."""
        return str(import_module(f"core.{self.package}.estimate").run(recipe)) if self.estimates else None


STAGES = {
    stage.name: stage
    for stage in (
        Stage("data", "build", "data", "build"),
        Stage("download", "download", "data.download", "fetch"),
        Stage("rows", "rows", "data.rows", "build"),
        Stage("mix", "mix", "data.mix", "build"),
        Stage("personas", "personas", "distill.personas", "build", estimates=True),
        Stage("distill", "run", "distill", "run", estimates=True),
        Stage("mine", "mine", "distill.mine", "run"),
        Stage("reasoning", "reasoning", "distill.reasoning", "run"),
        Stage("embed", "train", "embed", "train", gates=True),
        Stage("merge", "merge", "embed.merge", "run"),
        Stage("encode", "encode", "embed.encode", "run"),
        Stage("index", "build", "index", "build"),
        Stage("eval", "run", "eval", "score", gates=True),
        Stage("rewrite", "", "rewrite", "run", estimates=True),
        Stage("sft", "train", "sft", "train", checks=True),
        Stage("rl", "train", "rl", "train", checks=True),
        Stage("export", "export", "rl.export", "run"),
        Stage("reward", "test", "reward", "scorer", answers=True),
        Stage("probe", "probe", "rl.probe", "run", estimates=True),
        Stage("serve", "retrieval", "serve", "app", answers=True),
        Stage("llm", "llm", "serve.llm", "run", answers=True),
    )
}


def stage_of(path: Path) -> Stage:
    """The stage that a recipe file is for.

    Raises:
        RecipeError: it names none of ours.
    """
    from core.recipe import load_stage

    name = load_stage(path)
    if name not in STAGES:
        raise RecipeError(f"there is no stage `{name}`", where=str(path), hint=f"there are {', '.join(STAGES)}")
    return STAGES[name]
