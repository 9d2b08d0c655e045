"""What rewriting will cost, told before its first request. Imports nothing heavy."""

from core.llm.estimate import estimate
from core.llm.rewriting import template as templates
from core.rewrite import questions
from core.rewrite.recipe import Recipe

SAMPLE = 200
"""Prompts that are measured."""

ANSWER_TOKENS = 200
"""Of one answer, its thoughts included."""


def run(recipe: Recipe) -> str:
    """The requests, tokens, money and time of a recipe, in words."""
    template, queries = templates.load(recipe.prompts), questions.read(recipe.queries)
    asked = [template.request(query.text, 0).messages for query in queries[:SAMPLE]]
    prompts = ["\n".join(message.content for message in messages) for messages in asked]
    told = estimate(recipe.llm, len(queries) * recipe.samples, prompts, ANSWER_TOKENS)
    return f"{len(queries):,} queries are rewritten: {told}"
