"""`dr embed`."""

from pathlib import Path
from typing import Annotated

import typer

from cli import console
from cli.stages import STAGES
from cli.tree import DryRun, Force, Json, Overrides, Quiet, RecipeFile, Verbose, embed, stage_command
from core.errors import UsageError


@embed.command(STAGES["embed"].command)
def embed_train(
    recipe: RecipeFile,
    overrides: Overrides = None,
    evaluate: Annotated[
        bool, typer.Option("--evaluate", help="Train nothing: measure every checkpoint and say which is best.")
    ] = False,
    checkpoint: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="With --evaluate: this checkpoint alone.")
    ] = None,
    dry_run: DryRun = False,
    force: Force = False,
    json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Train an embedding model, and show whether it is better than before."""
    console.set_up(quiet=quiet, verbose=verbose)
    from cli.shelf import find

    if checkpoint and not evaluate:
        raise UsageError("--checkpoint is for --evaluate", hint="a training goes on from its newest one by itself")
    if evaluate:
        from cli import embedding

        return embedding.evaluate(find(recipe), overrides or [], checkpoint, as_json=json)
    from cli import dispatch

    stage = STAGES["embed"]
    return dispatch.run(stage, find(recipe), overrides or [], dry_run=dry_run, force=force, as_json=json)


stage_command(embed, "merge", "Put a trained adapter into its base: one complete model.")
stage_command(embed, "encode", "Turn texts into vectors, as the model's own contract says.")


@embed.command("parity")
def embed_parity(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="Artifact, folder of a model, or its name on the hub.")],
    texts: Annotated[Path | None, typer.Option(metavar="FILE", help="Texts to compare on, one a line.")] = None,
    url: Annotated[
        str | None, typer.Option(metavar="URL", help="Server of the same model that answers /v1/embeddings.")
    ] = None,
    name: Annotated[str | None, typer.Option(metavar="NAME", help="The model's name on that server.")] = None,
    json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Compare our vectors with plain sentence-transformers, and with a server of the same model."""
    console.set_up(quiet=quiet, verbose=verbose)
    from cli import parity

    parity.run(model, texts, url, name, as_json=json)
