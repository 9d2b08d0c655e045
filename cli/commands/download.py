"""`dr data list` and `dr data download`."""

from pathlib import Path
from typing import Annotated, Any

import typer

from cli import console
from cli.tree import DryRun, Force, Json, Quiet, Verbose, data

Hub = Annotated[str | None, typer.Option(help="huggingface (the default) or modelscope.")]
KindOf = Annotated[str | None, typer.Option("--kind", help="dataset or model; known names need none.")]
Revision = Annotated[str | None, typer.Option(help="A branch, a tag or a commit. Default: the main branch.")]


@data.command("list")
def data_list(
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="A known name or OWNER/NAME: show the files it holds.")
    ] = None,
    hub: Hub = None,
    kind: KindOf = None,
    revision: Revision = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """The sets and models known by name (asks no network), or the files of one."""
    console.set_up(quiet=quiet)
    from cli import hubs

    if name is None:
        hubs.show_registry(as_json=json)
    else:
        hubs.show_files(name, hub=hub, kind=kind, revision=revision, as_json=json)


@data.command("download")
def data_download(
    name: Annotated[
        str,
        typer.Argument(metavar="NAME", help="A name that `dr data list` shows, OWNER/NAME, or a recipe's YAML file."),
    ],
    out: Annotated[Path | None, typer.Option(help="Directory to make; the files come to its folder `files`.")] = None,
    hub: Hub = None,
    kind: KindOf = None,
    revision: Revision = None,
    include: Annotated[
        list[str] | None, typer.Option(help="Only files that match, as '*.jsonl' or 'qrels/'; may be repeated.")
    ] = None,
    exclude: Annotated[list[str] | None, typer.Option(help="Not the files that match; may be repeated.")] = None,
    from_dir: Annotated[
        Path | None, typer.Option(help="A folder copied from another machine, instead of the hub.")
    ] = None,
    dry_run: DryRun = False,
    force: Force = False,
    json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Fetch a data set or a model, whole or by pattern; goes on where it was stopped."""
    console.set_up(quiet=quiet, verbose=verbose)
    from cli import hubs

    options: dict[str, Any] = {"hub": hub, "kind": kind, "revision": revision, "include": include, "exclude": exclude}
    options |= {"from_dir": from_dir and str(from_dir), "out": out and str(out)}
    hubs.download(name, options, dry_run=dry_run, force=force, as_json=json)
