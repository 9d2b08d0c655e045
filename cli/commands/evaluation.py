"""`dr eval`."""

from pathlib import Path
from typing import Annotated

import typer

from cli import console
from cli.tree import Json, Quiet, evaluation, stage_command

stage_command(evaluation, "eval", "Score an index or a run; exit 4 when it misses the recipe's `expect`.")


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
