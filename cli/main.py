"""The command tree. Parses, and hands over to `cli.dispatch`; retrieval lives in `core`."""

import signal
import sys
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from cli import console
from cli.groups import Flow, with_default
from core.errors import DrError, Missing
from core.lazy import DISTRIBUTION

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


def _version(wanted: bool) -> None:
    if wanted:
        from core.versions import installed

        console.emit(f"dr {installed(DISTRIBUTION) or 'from source'}")
        raise typer.Exit


@app.callback()
def dr(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show it and end.")
    ] = False,
) -> None:
    """From a domain's documents to a measured, served retrieval system."""


def _group(name: str, help_: str, default: str) -> typer.Typer:
    group = typer.Typer(
        cls=with_default(default), no_args_is_help=True, help=f"{help_}\n\n`dr {name} X` is `dr {name} {default} X`."
    )
    app.add_typer(group, name=name)
    return group


def _stage_command(group: typer.Typer, stage: str, verb: str, help_: str) -> None:
    """Register `dr <stage> <verb> RECIPE`; all of them take the same arguments."""

    @group.command(verb, help=help_)
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
        from cli.stages import STAGES

        dispatch.run(STAGES[stage], find(recipe), overrides or [], dry_run=dry_run, force=force, as_json=json)


data = _group("data", "Turn raw sources into a corpus, queries and judgements.", "build")
embed = _group("embed", "Train an embedding model.", "train")
index = _group("index", "Build and search an index.", "build")
serve = _group("serve", "Answer searches over HTTP.", "retrieval")
evaluation = _group("eval", "Measure a system against judgements.", "run")
recipe_group = typer.Typer(no_args_is_help=True, help="List, copy, show and validate recipes.")
app.add_typer(recipe_group, name="recipe")

_stage_command(data, "data", "build", "Read a source, clean, chunk and split it; write BEIR layout.")
_stage_command(embed, "embed", "train", "Train an embedding model on a corpus and say what it learnt.")
_stage_command(index, "index", "build", "Index a corpus with bm25, dense or hybrid.")
_stage_command(serve, "serve", "retrieval", "Answer `POST /retrieve` on an index until stopped.")
_stage_command(evaluation, "eval", "run", "Score an index or a run; exit 4 when it misses the recipe's `expect`.")


@data.command("check")
def data_check(
    folder: Annotated[Path, typer.Argument(help="An artifact of `dr data`, or any folder in BEIR layout.")],
    verify: Annotated[bool, typer.Option("--verify", help="Compare the digest of every file of an artifact.")] = False,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Counts, lengths, dangling judgements, doubles; exit 4 when something is wrong."""
    console.set_up(quiet=quiet)
    from cli import reports

    reports.data_check(folder, verify=verify, as_json=json)


@index.command("search")
def index_search(
    folder: Annotated[Path, typer.Argument(metavar="INDEX", help="An artifact of `dr index build`.")],
    queries: Annotated[
        list[str], typer.Argument(metavar="QUERY...", help="What to search for; `-` reads lines from stdin.")
    ],
    k: Annotated[int, typer.Option("-k", min=1, help="Hits a query.")] = 5,
    method: Annotated[str | None, typer.Option(help="bm25, dense or hybrid; default: the index's own.")] = None,
    alpha: Annotated[float | None, typer.Option(help="Weight of BM25 in a hybrid answer, 0 to 1.")] = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Search an index from the terminal."""
    console.set_up(quiet=quiet)
    from cli import reports

    reports.search(folder, queries, k=k, method=method, alpha=alpha, as_json=json)


@evaluation.command("compare")
def eval_compare(
    first: Annotated[Path, typer.Argument(metavar="A", help="An artifact of `dr eval`.")],
    second: Annotated[Path, typer.Argument(metavar="B", help="Another, over the same queries.")],
    measure: Annotated[
        list[str] | None, typer.Option("--measure", "-m", help="Measure to compare; repeatable. Default: all.")
    ] = None,
    fail_if_worse: Annotated[
        bool, typer.Option("--fail-if-worse", help="Exit 4 when B is significantly worse on one.")
    ] = False,
    seed: Annotated[int, typer.Option(help="Seed of the random samples.")] = 0,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Is B better than A, or is it luck? Paired randomisation test and bootstrap interval."""
    console.set_up(quiet=quiet)
    from cli import reports

    reports.compare(first, second, measure or [], fail_if_worse=fail_if_worse, seed=seed, as_json=json)


@app.command("run")
def run_pipeline(
    pipeline: Annotated[
        Path, typer.Argument(metavar="PIPELINE", help="A YAML file that lists recipes, or a shipped one's name.")
    ],
    overrides: Overrides = None,
    dry_run: DryRun = False,
    force: Force = False,
    json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Run recipes in order; skip what is up to date; show what was made."""
    console.set_up(quiet=quiet, verbose=verbose)
    from cli import pipeline as pipelines
    from cli.shelf import find

    pipelines.run(find(pipeline), overrides or [], dry_run=dry_run, force=force, as_json=json)


@recipe_group.command("ls")
def recipe_ls(json: Json = False) -> None:
    """List the shipped recipes."""
    from cli import recipes

    recipes.ls(as_json=json)


@recipe_group.command("cp")
def recipe_cp(
    name: Annotated[str, typer.Argument(help="A shipped recipe, as `dr recipe ls` names it.")],
    file: Annotated[Path, typer.Argument(help="Where to write it; an existing file is never overwritten.")],
) -> None:
    """Copy a shipped recipe, to edit it."""
    from cli import recipes

    recipes.cp(name, file)


@recipe_group.command("show")
def recipe_show(recipe: RecipeFile, overrides: Overrides = None) -> None:
    """Print a recipe with every default and what each field means."""
    from cli import recipes
    from cli.shelf import find

    recipes.show(find(recipe), overrides or [])


@recipe_group.command("validate")
def recipe_validate(
    files: Annotated[list[Path], typer.Argument(metavar="RECIPE...", help="Recipes of any stage.")],
) -> None:
    """Check recipes without running them; exit 2 when one is wrong."""
    from cli import recipes

    recipes.validate(files)


@app.command()
def doctor(json: Json = False) -> None:
    """Look at this machine: what is missing, what that costs, and the line that fixes it."""
    from cli import reports

    reports.doctor(as_json=json)


def main() -> None:
    """Run the app; turn expected failures into one message and an exit code."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _unwind)
    try:
        app()
    except DrError as error:
        _end(error)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.split(".")[0] in {"cli", "core"}:
            raise
        hint = f"pip install '{DISTRIBUTION}'; `dr doctor` shows what else is missing"
        _end(Missing(f"the package `{error.name}` is not installed", hint=hint))


def _end(error: DrError) -> NoReturn:
    if "--json" in sys.argv:
        console.emit_json(**error.as_dict())
    print(error.render(), file=sys.stderr)  # noqa: T201 - the last word
    raise SystemExit(error.exit_code) from None


def _unwind(number: int, _frame: Any) -> None:
    """End by unwinding, so that programs we started end with us and unfinished work is kept."""
    print("interrupted", file=sys.stderr)  # noqa: T201 - said even when quiet
    raise SystemExit(128 + number)


if __name__ == "__main__":
    main()
