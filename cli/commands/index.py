"""`dr index`."""

from pathlib import Path
from typing import Annotated

import typer

from cli import console
from cli.tree import Json, Quiet, index, stage_command

stage_command(index, "index", "Index a corpus with bm25, dense or hybrid.")


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
