"""Queries with good rewrites as items: the answer is written in the form that rewards ask for."""

from collections.abc import Iterator
from pathlib import Path

from core import artifact
from core.data.rows import files
from core.data.rows.item import Item, LeftOut, in_form
from core.data.rows.recipe import Earned, Taught, Written
from core.errors import UsageError
from core.formats import values
from core.formats.prompts import Prompts
from core.formats.rows import BadRow, OnBad, Row
from core.text import answer as contract

TAUGHT = "rewrites.jsonl"
"""In an artifact of `dr rewrite`."""
ROLLOUTS = "rollouts.jsonl"
"""In an artifact of `dr rl probe`."""

UNUSABLE = LeftOut("nothing could be read out of the answer")
TOO_LOW = LeftOut("the answer earned less than `min_score`")
NOT_AMONG_THE_BEST = LeftOut("other answers to the query earned more")
NOT_SCORED = LeftOut("the answer was not scored")


def items(of: Written | Taught | Earned, prompts: Prompts, on_bad: OnBad) -> Iterator[Item | LeftOut]:
    """The rewrites, in the order in which they were written down.

    Raises:
        DataError: the file cannot be read.
        UsageError: it is not in the artifact.
    """
    match of:
        case Written(path=path):
            rows: Iterator[Row | LeftOut] = files.rows(path, on_bad)
        case Taught(rewrites=folder):
            rows = files.rows(_inside(folder, TAUGHT), on_bad)
        case Earned(probe=folder, min_score=least, best=best):
            rows = _best(_inside(folder, ROLLOUTS), on_bad, least, best)
    for row in rows:
        if isinstance(row, LeftOut):
            yield row
            continue
        try:
            found = _item(row, prompts)
        except BadRow as bad:
            on_bad(bad)
            continue
        yield found


def _item(row: Row, prompts: Prompts) -> Item | LeftOut:
    if row.fields.get("fallback"):
        return UNUSABLE  # the query itself stands there
    asked = values.query(row, "query")
    if isinstance(row.fields.get("response"), str):
        read = contract.read(row.fields["response"])
        if read.query is None:
            return UNUSABLE
        thoughts, query = read.thoughts, read.query
    elif isinstance(row.fields.get("rewritten"), str) and row.fields["rewritten"].strip():
        thoughts, query = values.optional_text(row, "thoughts"), row.fields["rewritten"].strip()
    else:
        what = "the row has neither `response` nor `rewritten`"
        hint = '{"query": "…", "rewritten": "…", "thoughts": "…"}, or the whole answer as `response`'
        raise BadRow("missing text", what, where=row.where, row=row.fields, hint=hint)
    return Item(
        where=row.where,
        question=asked,
        prompt=prompts.fill(query=asked),
        answer=in_form(thoughts, "query", query),
        truth="",
        kin=(asked,),
    )


def _best(path: Path, on_bad: OnBad, least: float | None, most: int | None) -> Iterator[Row | LeftOut]:
    """The rollouts that earned most, in the order of the file; the others by why they are left out."""
    scores: dict[object, list[tuple[float, int]]] = {}
    for number, row in enumerate(files.rows(path, _told_below)):
        if isinstance(score := row.fields.get("score"), int | float):
            scores.setdefault(row.fields.get("group"), []).append((-score, number))
    kept = {number for of_group in scores.values() for _, number in sorted(of_group)[:most]}
    for number, row in enumerate(files.rows(path, on_bad)):
        score = row.fields.get("score")
        if not isinstance(score, int | float):
            yield NOT_SCORED
        elif least is not None and score < least:
            yield TOO_LOW
        else:
            yield row if number in kept else NOT_AMONG_THE_BEST


def _told_below(_: BadRow) -> None:
    """The second reading tells it; the numbers stay those of the good rows."""


def _inside(folder: Path, name: str) -> Path:
    artifact.read(folder)
    if (folder / name).is_file():
        return folder / name
    raise UsageError(f"the artifact holds no {name}", where=str(folder), hint="was it made by an older version?")
