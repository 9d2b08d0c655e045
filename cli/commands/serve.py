"""`dr serve`."""

from cli import console
from cli.stages import STAGES
from cli.tree import DryRun, Json, Overrides, Quiet, RecipeFile, Verbose, serve, stage_command

stage_command(serve, "serve", "Answer searches on an index, and embed texts, until stopped.")


@serve.command(STAGES["llm"].command)
def serve_llm(
    recipe: RecipeFile,
    overrides: Overrides = None,
    dry_run: DryRun = False,
    json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Serve a language model (OpenAI protocol) until stopped; print its address when it answers."""
    console.set_up(quiet=quiet, verbose=verbose)
    from cli import serving
    from cli.shelf import find

    serving.llm(find(recipe), overrides or [], dry_run=dry_run, as_json=json)
