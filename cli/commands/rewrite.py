"""`dr rewrite`."""

from pathlib import Path
from typing import Annotated

import typer

from cli import console
from cli.tree import DryRun, Force, Json, Overrides, Quiet, Verbose, app

ASK = "Ask a model without a recipe"


@app.command("rewrite")
def rewrite(
    recipe: Annotated[
        Path | None, typer.Argument(metavar="RECIPE", help="A YAML file, or the name of a shipped recipe.")
    ] = None,
    overrides: Overrides = None,
    query: Annotated[str | None, typer.Option(help="One query; with a RECIPE: by its model and prompts.")] = None,
    file: Annotated[
        Path | None,
        typer.Option(
            help="Many: lines of a .txt, or rows of JSON, Parquet, CSV; one JSON line each comes back. - is "
            "stdin, which is also read when nothing else is given."
        ),
    ] = None,
    api_url: Annotated[
        str | None,
        typer.Option(
            "--api-url",
            "--api_url",
            metavar="URL",
            help="An OpenAI-compatible API. Default: http://localhost:8000/v1/chat/completions",
            rich_help_panel=ASK,
        ),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Default: the one that the server has.", rich_help_panel=ASK),
    ] = None,
    domain: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="finance, medicine, literature, general (the default), or the path of a prompt template of your own.",
            rich_help_panel=ASK,
        ),
    ] = None,
    api_key_env: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Environment variable that holds the key. Default: OPENAI_API_KEY, QWEN_API_KEY.",
            rich_help_panel=ASK,
        ),
    ] = None,
    dry_run: DryRun = False,
    force: Force = False,
    json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Put queries into better words for a retriever, by a language model.

    `dr rewrite RECIPE` makes an artifact that `dr eval` holds against the original queries.
    """
    console.set_up(quiet=quiet, verbose=verbose)
    from cli import rewriting

    asks = query is not None or file is not None
    if query is not None:
        rewriting.refuse("--query is one query, --file many", file=file)
    if recipe is None or asks:
        rewriting.refuse("it is for a recipe that makes an artifact", dry_run=dry_run, force=force)
    if recipe is not None:
        options = {"api_url": api_url, "model": model, "domain": domain, "api_key_env": api_key_env}
        rewriting.refuse("the recipe says it; llm.server.model=NAME overrides it, say", **options)
    if recipe is not None and not asks:
        return rewriting.make(recipe, overrides or [], dry_run=dry_run, force=force, as_json=json)
    if recipe is not None:
        rewriter = rewriting.of_recipe(recipe, overrides or [])
    else:
        rewriter = rewriting.rewriter(api_url, model, domain, api_key_env)
    return rewriting.many(rewriter, file) if query is None else rewriting.one(rewriter, query, as_json=json)
