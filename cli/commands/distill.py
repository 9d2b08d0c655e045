"""`dr distill`."""

from typing import Annotated

import typer

from cli import console
from cli.tree import DryRun, Force, Json, Overrides, Quiet, RecipeFile, Verbose, distill, stage_command

stage_command(distill, "personas", "Filter, translate and index a library of personas.")


@distill.command("run")
def distill_run(
    recipe: RecipeFile,
    overrides: Overrides = None,
    dry_run: DryRun = False,
    force: Force = False,
    retry_failed: Annotated[
        bool,
        typer.Option("--retry-failed", help="Ask again for what failed in the finished output, and make it anew."),
    ] = False,
    json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Write queries for the documents of a corpus, by a language model or without one."""
    console.set_up(quiet=quiet, verbose=verbose)
    from cli import dispatch
    from cli.shelf import find
    from cli.stages import STAGES

    dispatch.run(
        STAGES["distill"],
        find(recipe),
        overrides or [],
        dry_run=dry_run,
        force=force or retry_failed,
        as_json=json,
        way="retry_failed" if retry_failed else "run",
    )


stage_command(distill, "mine", "Find hard negatives for judged queries.")
stage_command(distill, "reasoning", "Let a language model answer questions step by step, as rows for fine-tuning.")
