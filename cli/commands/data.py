"""`dr data build` and `dr data check`."""

from pathlib import Path
from typing import Annotated

import typer

from cli import console
from cli.tree import Json, Quiet, data, stage_command

stage_command(data, "data", "Read a source, clean, chunk and split it; write BEIR layout.")


@data.command("check")
def data_check(
    folder: Annotated[
        Path, typer.Argument(help="An artifact of `dr data`, any folder in BEIR layout, or a training file.")
    ],
    verify: Annotated[bool, typer.Option("--verify", help="Compare the digest of every file of an artifact.")] = False,
    against: Annotated[
        Path | None, typer.Option(help="A set that an evaluation uses: does it share queries or answers with this one?")
    ] = None,
    split: Annotated[str | None, typer.Option(help="With --against: the split of FOLDER. Default: all of it.")] = None,
    against_split: Annotated[str | None, typer.Option(help="The split of the other set. Default: all of it.")] = None,
    near: Annotated[
        float, typer.Option(min=0.1, max=1.0, help="Jaccard similarity from which texts are near-duplicates.")
    ] = 0.8,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Counts, lengths, labels, weights, dangling judgements, conflicts, leakage; exit 4 when something is wrong."""
    console.set_up(quiet=quiet)
    from cli import reports
    from core.errors import UsageError

    if against:
        return reports.leakage(folder, against, splits=(split, against_split), near=near, as_json=json)
    if split or against_split:
        raise UsageError("`--split` and `--against-split` need `--against OTHER`")
    return reports.data_check(folder, verify=verify, as_json=json)
