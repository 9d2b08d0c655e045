"""`dr rl`."""

from cli import console
from cli.tree import DryRun, Force, Json, Overrides, Quiet, RecipeFile, Verbose, rl, stage_command


@rl.command("probe")
def rl_probe(
    recipe: RecipeFile,
    overrides: Overrides = None,
    dry_run: DryRun = False,
    force: Force = False,
    json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """See before any GPU what a model earns now, how much there is to win, and at what price."""
    console.set_up(quiet=quiet, verbose=verbose)
    from cli import probing
    from cli.shelf import find

    probing.probe(find(recipe), overrides or [], dry_run=dry_run, force=force, as_json=json)


stage_command(rl, "rl", "Train a language model by rewards.")
stage_command(rl, "export", "Make a Hugging Face directory of a checkpoint, load it, and ask it once.")
