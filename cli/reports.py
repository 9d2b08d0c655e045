"""Commands that answer instead of making: checks, searches, comparisons, the doctor."""

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any, cast

from cli import console
from cli.dispatch import differences, finish
from core.errors import GateFailed, Missing, UsageError
from core.retrieval.spec import Method


def data_check(folder: Path, *, verify: bool, as_json: bool) -> None:
    """Print what is in a BEIR folder or a training file; exit 4 on a problem."""
    from core import artifact
    from core.data import check, check_training

    if verify:
        artifact.verify(folder)
    report = check_training.inspect(folder) if folder.is_file() else check.inspect(folder)
    _finish_check(report, report.problems, folder, as_json=as_json)


def leakage(folder: Path, other: Path, *, splits: tuple[str | None, str | None], near: float, as_json: bool) -> None:
    """Print what `other` shares with `folder`; exit 4 when it shares anything."""
    from core.data import leak

    found = leak.between(folder, other, split=splits[0], other_split=splits[1], threshold=near)
    _finish_check(found, found.problems(), other, as_json=as_json)


def _finish_check(report: Any, problems: list[str], where: Path, *, as_json: bool) -> None:
    def gate() -> None:
        if problems:
            raise GateFailed("\n  also: ".join(problems), where=str(where))

    finish(report.as_dict(), console.table(("fact", "value"), report.rows()), gate, as_json=as_json)


def search(folder: Path, queries: list[str], *, k: int, method: str | None, alpha: float | None, as_json: bool) -> None:
    """Print the best hits of each query."""
    from core import artifact
    from core.retrieval.index import open_index

    artifact.read(folder, ("index",))
    opened = open_index(folder)
    texts = [text for query in queries for text in (_lines() if query == "-" else [query])]
    _check_text(texts)
    if alpha is not None and (method or opened.methods[0]) != "hybrid":
        raise UsageError("`--alpha` weighs the legs of a hybrid answer", hint="add `--method hybrid`, or leave it out")
    found = opened.search(texts, k, method=cast(Method | None, method), alpha=alpha)
    if as_json:
        results = [_as_dicts(opened, text, hits) for text, hits in zip(texts, found, strict=True)]
        used = method or opened.methods[0]
        weights = opened.weights(alpha) if used == "hybrid" else {}
        return console.emit_json(method=used, weights=weights, results=results)
    for text, hits in zip(texts, found, strict=True):
        documents = opened.documents(hit.document_id for hit in hits)
        rows = [
            (rank, hit.document_id, hit.score, _short(document.contents))
            for rank, (hit, document) in enumerate(zip(hits, documents, strict=True), start=1)
        ]
        console.emit(f"{text}\n{console.table(('rank', 'document', 'score', 'contents'), rows)}\n")
    return None


def _lines() -> list[str]:
    """The queries on stdin, one a line; blank lines are none."""
    lines = sys.stdin.buffer.read().decode("utf-8", "surrogateescape").splitlines()
    return [line for line in lines if line.strip()]


def _check_text(texts: list[str]) -> None:
    """Raises UsageError for no query, a blank one, and one that is not UTF-8 (Python then smuggles its bytes in)."""
    if not texts or not all(text.strip() for text in texts):
        raise UsageError("a query is empty", hint="give words to search for")
    for text in texts:
        if any("\ud800" <= character <= "\udfff" for character in text):
            shown = text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
            raise UsageError(f"the query {shown!r} is not UTF-8", hint="set the terminal's encoding to UTF-8")


def _as_dicts(opened: Any, text: str, hits: Any) -> dict[str, Any]:
    documents = opened.documents(hit.document_id for hit in hits)
    rows = [
        {"id": hit.document_id, "score": hit.score, "contents": document.contents}
        for hit, document in zip(hits, documents, strict=True)
    ]
    return {"query": text, "hits": rows}


def _short(text: str, width: int = 60) -> str:
    """`text` on one line, cut to `width` columns of a terminal."""
    from rich.cells import cell_len, set_cell_size

    text = " ".join(text.split())
    return text if cell_len(text) <= width else f"{set_cell_size(text, width - 1).rstrip()}…"


def compare(first: Path, second: Path, names: list[str], *, fail_if_worse: bool, seed: int, as_json: bool) -> None:
    """Print B against A on every measure."""
    from core.eval.compare import run

    found = run(first, second, names, seed=seed)
    measures = {name: comparison.as_dict() for name, comparison in found.items()}
    fields = {"a": str(first), "b": str(second), "measures": measures}

    def gate() -> None:
        worse = [name for name, comparison in found.items() if comparison.verdict == "worse"]
        if worse and fail_if_worse:
            raise GateFailed(f"B is significantly worse than A on {', '.join(worse)}", where=str(second))

    finish(fields, differences(measures), gate, as_json=as_json)


def doctor(*, as_json: bool) -> None:
    """Print what this machine has and lacks; exit 3 when a part that everything needs is missing."""
    from core import doctor as examination

    findings = examination.examine()
    if as_json:
        console.emit_json(findings=[asdict(finding) for finding in findings])
    else:
        rows = [(f.name, f.state, _short(f.seen, 90)) for f in findings]
        console.emit(console.table(("part", "state", "seen"), rows))
        for finding in findings:
            if finding.state != "ok":
                console.emit(f"\n{finding.name}: {finding.costs}\n  fix: {finding.fix}")
    if broken := [finding.name for finding in findings if finding.failed]:
        raise Missing(f"`dr` cannot work without {', '.join(broken)}")
