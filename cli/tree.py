"""The command tree's trunk: the app, its groups, and the arguments that commands share."""

from pathlib import Path
from typing import Annotated

import typer

from cli import console
from cli.groups import Flow, Group, with_default

app = typer.Typer(cls=Flow, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)

RecipeFile = Annotated[Path, typer.Argument(metavar="RECIPE", help="A YAML file, or the name of a shipped recipe.")]
Overrides = Annotated[
    list[str] | None, typer.Argument(metavar="[KEY=VALUE]... [~KEY]...", help="Override or remove fields.")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Print the resolved recipe and what would run; do nothing.")]
Force = Annotated[bool, typer.Option("--force", help="Make it anew; the old output is kept as <out>.previous.")]
Json = Annotated[bool, typer.Option("--json", help="Print the result as one JSON object.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Warnings and errors only.")]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Tell more on stderr.")]


def _group(name: str, help_: str, default: str) -> typer.Typer:
    group = typer.Typer(
        cls=with_default(default), no_args_is_help=True, help=f"{help_}\n\n`dr {name} X` is `dr {name} {default} X`."
    )
    app.add_typer(group, name=name)
    return group


def _plain_group(name: str, help_: str) -> typer.Typer:
    group = typer.Typer(cls=Group, no_args_is_help=True, help=help_)
    app.add_typer(group, name=name)
    return group


data = _group("data", "Turn raw sources into a corpus, queries and judgements.", "build")
distill = _group("distill", "Write queries for documents that have none, and mine their hard negatives.", "run")
embed = _group("embed", "Train an embedding model, merge its adapter, encode with it.", "train")
index = _group("index", "Build and search an index.", "build")
serve = _group("serve", "Answer searches, embed texts, or serve a language model, over HTTP.", "retrieval")
evaluation = _group("eval", "Measure a system against judgements.", "run")
reward = _plain_group("reward", "Try a reward before a training pays for it.")
sft = _plain_group("sft", "Teach a language model by examples.")
rl = _plain_group("rl", "Look before a training, and train, by rewards.")
recipe = _plain_group("recipe", "List, copy, show and validate recipes.")
env = _plain_group("env", "Make the interpreters that other people's programs run in.")


def stage_command(group: typer.Typer, stage: str, help_: str) -> None:
    """Register `dr <group> <verb> RECIPE` for a stage of `cli.stages`; all of them take the same arguments."""
    from cli.stages import STAGES

    @group.command(STAGES[stage].command, help=help_)
    def command(
        recipe: RecipeFile,
        overrides: Overrides = None,
        dry_run: DryRun = False,
        force: Force = False,
        json: Json = False,
        quiet: Quiet = False,
        verbose: Verbose = False,
    ) -> None:
        console.set_up(quiet=quiet, verbose=verbose)
        from cli import dispatch
        from cli.shelf import find

        dispatch.run(STAGES[stage], find(recipe), overrides or [], dry_run=dry_run, force=force, as_json=json)
