"""`dr data rows`: from questions and answers to rows for fine-tuning and for RL.

The source is read twice: once to decide, from hashes, what is taken and into which split; once to write.
"""

import logging
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from itertools import islice
from typing import Any, TypeVar

import yaml

from core import artifact, progress
from core.data.rows import items as sources
from core.data.rows import targets
from core.data.rows.fate import Fates
from core.data.rows.item import Item
from core.data.rows.lengths import Ruler, ruler
from core.data.rows.recipe import Conversations, Questions, Recipe, Retrieval
from core.data.rows.writing import Rows
from core.errors import DataError
from core.formats import bad_rows
from core.formats.prompts import Prompts
from core.formats.rows import BadRow

log = logging.getLogger(__name__)

REJECTED = "rejected.jsonl"
PROMPTS = "prompts"
BATCH = 256
"""Items measured together: a tokenizer is faster on many."""

T = TypeVar("T")


def run(recipe: Recipe, work: artifact.Work) -> None:
    """Fill `work` with the rows of the recipe's targets.

    Raises:
        RecipeError: the prompt templates are not there, or do not fit.
        DataError: the source cannot be read, has bad rows under `on_bad_row: fail`, or leaves a split empty.
        Missing: the tokenizer is not there.
    """
    templates = sources.templates(recipe)
    measure = ruler(recipe.tokenizer)
    fates, left_out = Fates(), Counter[str]()
    with bad_rows.opened(recipe.on_bad_row, work.path / REJECTED) as bad:
        for item in progress.track(sources.items(recipe, templates, bad, left_out), "read"):
            fates.note(item)
        bad.settle()
    splits = _decide(recipe, fates)
    written = [Rows(work.path, recipe, target, measure) for target in targets.of(recipe)]
    with ExitStack() as files:
        for rows in written:
            files.callback(rows.close)
        for batch in _batches(_taken(recipe, templates, splits), BATCH):
            for rows in written:
                rows.write(batch)
    facts: dict[str, dict[str, Any]] = {name: rows.stats() for name, rows in zip(recipe.targets, written, strict=True)}
    work.stats |= {
        "read": len(splits),
        "bad_rows": dict(bad.counts),
        "left_out": dict(left_out),
        "prompts": _prompts(recipe, templates, measure, work),
        "length_unit": measure.unit,
        "max_length": recipe.max_length,
    }
    work.stats |= fates.counts
    work.stats |= facts
    for target, told in facts.items():
        _tell(target, told, recipe, measure)


def _decide(recipe: Recipe, fates: Fates) -> list[str | None]:
    source = recipe.source
    return fates.decide(
        None if isinstance(source, Retrieval) else source.shares(),
        max_samples=source.max_samples,
        drop_conflicts=isinstance(source, Questions) and source.on_conflict == "drop",
        seed=recipe.seed,
    )


def _taken(recipe: Recipe, templates: Prompts, splits: list[str | None]) -> Iterator[tuple[Item, str]]:
    """The items again, those that are taken, with their splits."""
    again = sources.items(recipe, templates, _told_before, Counter())
    for item, split in progress.track(zip(again, splits, strict=True), "write", len(splits)):
        if split is not None:
            yield item, split


def _told_before(_: BadRow) -> None:
    """The first reading took note of it."""


def _batches(items: Iterable[T], size: int) -> Iterator[list[T]]:
    iterator = iter(items)
    while batch := list(islice(iterator, size)):
        yield batch


def _prompts(recipe: Recipe, templates: Prompts, measure: Ruler, work: artifact.Work) -> dict[str, Any] | None:
    """What later stages must know of the prompts, and their texts: a model is asked as it was trained."""
    if isinstance(recipe.source, Conversations):
        return None
    lost = [token for token in measure.special if token in templates.system + templates.user]
    if lost and "rl" in recipe.targets:
        # verl decodes an answer without special tokens: a reward that looks for them finds nothing, every time.
        log.warning("the prompts ask for %s: special tokens, which no reward ever sees", ", ".join(lost))
    templates.write(work.path / PROMPTS)
    head = yaml.safe_load(templates.head) or {}
    boolean = {"boolean": bool(head["boolean"])} if "boolean" in head else {}
    return {"name": recipe.source.prompts, "digest": templates.digest, "special_tokens": lost, **boolean}


def _tell(target: str, told: dict[str, Any], recipe: Recipe, measure: Ruler) -> None:
    """The rows of a target in one line.

    Raises:
        DataError: it has none.
    """
    if not told["rows"]:
        gone = ", ".join(f"{count} {reason}" for reason, count in told.items() if isinstance(count, int))
        raise DataError(f"no {target} row is left: {gone}")
    log.info("%s: %s rows", target, ", ".join(f"{count:,} {split}" for split, count in told["rows"].items()))
    if longer := sum(lengths["longer_than_max_length"] for lengths in told["lengths"].values()):
        kept = "the trainer cuts their end" if target == "sft" else "the trainer leaves such prompts out, or cuts them"
        fate = "they are left out" if recipe.truncation == "drop" else kept
        fate = fate if recipe.tokenizer else f"{fate} (it counts tokens: name its `tokenizer`)"
        log.warning("%s: %s rows have more than %s %s: %s", target, longer, recipe.max_length, measure.unit, fate)
