"""What the translation of personas will cost, told before its first request. Imports nothing heavy."""

from itertools import islice
from string import Template

from core.distill.personas import library
from core.distill.personas.recipe import Recipe
from core.llm.estimate import estimate
from core.text.language import language_of

SAMPLE = 200
"""Prompts that are measured."""

ANSWER_TOKENS = 40
"""Of one persona."""


def run(recipe: Recipe) -> str:
    """The requests, tokens, money and time of a recipe, in words; bad lines are passed over here."""
    holds = library.holding(recipe.keywords)
    texts = {p.text.casefold(): p.text for p in library.read(recipe.source, lambda _: None) if holds(p)}
    taken = list(islice(texts.values(), recipe.limit))
    if recipe.translate is None:
        return f"no language model is asked: {len(taken):,} personas are taken"
    foreign = [text for text in taken if language_of(text) != "zh"]
    prompts = [Template(recipe.translate.prompt).safe_substitute(persona=text) for text in foreign[:SAMPLE]]
    told = estimate(recipe.translate.llm, len(foreign), prompts, ANSWER_TOKENS)
    return f"{len(taken):,} personas are taken, {len(foreign):,} of them to be translated: {told}"
