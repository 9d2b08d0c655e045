"""The one place where a recipe's words become items: which reader, which template."""

import re
from collections import Counter
from collections.abc import Iterator

from core.data.rows import choice, conversations, files, numeric, retrieval
from core.data.rows.item import Item, LeftOut
from core.data.rows.recipe import Choice, Conversations, Numeric, Recipe, Retrieval
from core.formats import jsonl, prompts
from core.formats.prompts import Prompts
from core.formats.rows import OnBad


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
        case Conversations(path=path, truth=pattern):
            truth = re.compile(pattern) if pattern is not None else None
            yield from jsonl.convert(files.rows(path, on_bad), lambda row: conversations.item(row, truth), on_bad)
        case Choice(path=path, first_index=first):
            yield from jsonl.convert(files.rows(path, on_bad), lambda row: choice.item(row, templates, first), on_bad)
        case Numeric(path=path):
            yield from jsonl.convert(files.rows(path, on_bad), lambda row: numeric.item(row, templates), on_bad)
        case Retrieval() as spec:
            yield from retrieval.items(spec, templates)
