"""Commands over all stages: `dr run` and `dr doctor`."""

from pathlib import Path
from typing import Annotated

import typer

from cli import console
from cli.tree import DryRun, Force, Json, Overrides, Quiet, Verbose, app


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


@app.command()
def doctor(json: Json = False) -> None:
    """Look at this machine: what is missing, what that costs, and the line that fixes it."""
    from cli import reports

    reports.doctor(as_json=json)
