"""The one place where a recipe's words become items: which reader, which template."""

import re
from collections import Counter
from collections.abc import Callable, Iterator

from core.data.rows import answered, choice, conversations, files, numeric, retrieval, rewrites, sql
from core.data.rows.item import Item, LeftOut
from core.data.rows.recipe import (
    Answers,
    Choice,
    Conversations,
    Evidence,
    Numeric,
    Recipe,
    Retrieval,
    Rewrites,
    Sql,
)
from core.formats import jsonl, prompts
from core.formats.prompts import Prompts
from core.formats.rows import OnBad, Row

OfFiles = Conversations | Choice | Numeric | Answers | Evidence | Sql


def templates(recipe: Recipe) -> Prompts:
    """The recipe's prompt templates; empty ones for conversations, which bring their own words.

    Raises:
        RecipeError: they are not there, or do not fit the source.
    """
    folder = recipe.prompts_folder()
    if folder is None:
        return Prompts("", "")
    match recipe.source:
        case Choice():
            return prompts.read(folder, needed=choice.NAMES, optional=choice.MORE_NAMES)
        case Numeric():
            return prompts.read(folder, needed=numeric.NAMES, optional=numeric.MORE_NAMES)
        case Answers():
            return prompts.read(folder, needed=answered.NAMES, optional=answered.MORE_NAMES)
        case Sql():
            return prompts.read(folder, needed=sql.NAMES, optional=sql.MORE_NAMES)
        case _:
            return prompts.read(folder, needed=retrieval.NAMES)


def items(recipe: Recipe, templates: Prompts, on_bad: OnBad, left_out: Counter[str]) -> Iterator[Item]:
    """The items of the recipe's source, in its order; good rows that give none are counted by reason.

    Raises:
        DataError: the source cannot be read.
    """
    for found in _found(recipe, templates, on_bad):
        if isinstance(found, LeftOut):
            left_out[found.reason] += 1
        else:
            yield found


def _found(recipe: Recipe, templates: Prompts, on_bad: OnBad) -> Iterator[Item | LeftOut]:
    match recipe.source:
        case Retrieval() as spec:
            yield from retrieval.items(spec, templates)
        case Rewrites(of=of):
            yield from rewrites.items(of, templates, on_bad)
        case spec:
            yield from jsonl.convert(files.rows(spec.path, on_bad), _reader(spec, templates), on_bad)


def _reader(spec: OfFiles, templates: Prompts) -> Callable[[Row], Item | LeftOut]:
    """What makes an item of a row of the user's files."""
    match spec:
        case Conversations(truth=pattern):
            truth = re.compile(pattern) if pattern is not None else None
            return lambda row: conversations.item(row, truth)
        case Choice():
            return lambda row: choice.item(row, templates, spec.first_index, boxed=spec.boxed)
        case Numeric():
            return lambda row: numeric.item(row, templates)
        case Answers():
            return lambda row: answered.answer_item(row, templates)
        case Evidence():
            return lambda row: answered.evidence_item(row, templates)
        case Sql():
            schema = sql.schemas(spec.databases)
            return lambda row: sql.item(row, templates, schema)
