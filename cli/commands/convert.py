"""`dr data convert`."""

import logging
from pathlib import Path
from typing import Annotated

import typer

from cli import console
from cli.tree import Json, Quiet, data
from core.data.convert.names import NAMES

log = logging.getLogger(__name__)

FORMATS = "\n\n".join(f"{name}: {meaning}" for name, meaning in NAMES.items())


@data.command("convert", help=f"Training data and collections from one format into another.\n\n{FORMATS}")
def data_convert(
    source: Annotated[Path, typer.Argument(metavar="INPUT", help="A file or folder: JSON lines, an array or Parquet.")],
    out: Annotated[
        Path,
        typer.Argument(metavar="OUTPUT", help=".json is written as an array, .parquet as Parquet, others as lines."),
    ],
    target_format: Annotated[str, typer.Option("--to", metavar="FORMAT", help="One of the formats above.")],
    source_format: Annotated[
        str | None, typer.Option("--from", metavar="FORMAT", help="Default: what the content shows, where it is clear.")
    ] = None,
    split: Annotated[
        str | None, typer.Option(help="The split whose judgements count, or the name of the split that is written.")
    ] = None,
    corpus: Annotated[
        Path | None, typer.Option(help="Documents that the input only names: a file of rows or a BEIR folder.")
    ] = None,
    threshold: Annotated[
        float, typer.Option(min=0, max=1, help="Least label of a positive, where graded pairs become examples.")
    ] = 0.5,
    negatives: Annotated[
        int | None,
        typer.Option(
            min=0,
            help="Negatives of each example: the first ones; examples with fewer are left out. Default: all, or, where "
            "the format needs equal numbers, as many as every example has.",
        ),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Replace the output; the old one is kept as <output>.previous.")
    ] = False,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Convert; tell on stderr what the target cannot carry."""
    console.set_up(quiet=quiet)
    from core.data.convert.run import convert

    report = convert(
        source,
        out,
        source_format=source_format,
        target_format=target_format,
        split=split,
        corpus=corpus,
        threshold=threshold,
        negatives=negatives,
        force=force,
    )
    written = ", ".join(f"{count:,} {name}" for name, count in report.written.items())
    log.info("%s: %s as %s", out, written, target_format)
    for line in report.told():
        log.warning(line)
    if json:
        console.emit_json(**report.as_dict())
    else:
        console.emit(str(out))
