"""What `dr embed parity` does: compare vectors, print how near they are, and hold them against the gate."""

from pathlib import Path

from cli import console
from cli.dispatch import finish


def run(model: str, texts: Path | None, url: str | None, name: str | None, *, as_json: bool) -> None:
    """Compare our vectors of a model with plain sentence-transformers and with a server; exit 4 where they differ."""
    from core.embed.parity import check

    found = check.check(model, check.read(texts) if texts else check.TEXTS, url, name)
    headers = ("compared with", "as", "texts", "least cosine", "mean cosine", "largest difference", "worst text")
    rows = [
        (
            each.reference,
            each.kind,
            each.texts,
            each.least_cosine,
            each.mean_cosine,
            f"{each.largest_difference:.1e}",
            each.worst_text[:40].replace("\n", " "),
        )
        for each in found
    ]
    fields = {"model": model, "agreements": [each.as_dict() for each in found]}
    finish(fields, console.table(headers, rows), lambda: check.gate(found), as_json=as_json)
