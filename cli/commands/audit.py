"""`dr distill audit`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli import console
from cli.tree import Json, Quiet, distill

if TYPE_CHECKING:
    from core.distill.audit import Audit


@distill.command("audit")
def distill_audit(
    folder: Annotated[Path, typer.Argument(help="An artifact of `dr distill`.")],
    examples: Annotated[int, typer.Option(min=0, help="Queries shown of each question type.")] = 2,
    seed: Annotated[int, typer.Option(help="Seed of the draw of examples.")] = 0,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """What the queries are: types, difficulties, personas, lengths, copying, and what was turned away and why."""
    console.set_up(quiet=quiet)
    from core.distill import audit

    found = audit.inspect(folder, examples=examples, seed=seed)
    if json:
        console.emit_json(**found.as_dict())
    else:
        console.emit("\n\n".join(_tables(found)))


def _tables(found: "Audit") -> list[str]:
    """The report, a table a subject."""
    tables = [f"{found.queries:,} queries of {found.documents:,} documents"]
    for name, facet in found.facets.items():
        rows = [(value or "(none)", count, count / found.queries) for value, count in facet.counts.items()]
        if facet.others:
            rows.append((f"({facet.values - len(facet.counts):,} others)", facet.others, facet.others / found.queries))
        title = name if facet.balance is None else f"{name} (balance {facet.balance:.2f})"
        tables.append(console.table((title, "queries", "share"), rows))
    measured = [("characters", *found.characters.values()), ("copied share", *found.copied.values())]
    tables.append(console.table(("of a query", "least", "quarter", "half", "three quarters", "most"), measured))
    turned_away = [(reason, count, count / found.drafts) for reason, count in found.rejected.items()]
    tables.append(
        console.table(("rejected", "queries", "rate"), turned_away) if turned_away else "No query was rejected."
    )
    if found.failed:
        tables.append(console.table(("failed", "times"), list(found.failed.items())))
    shown = [
        (name or "(none)", each["query"], each["document"], each["difficulty"], each["character"])
        for name, some in found.examples.items()
        for each in some
    ]
    if shown:
        tables.append(console.table(("type", "example", "document", "difficulty", "persona"), shown))
    return tables
