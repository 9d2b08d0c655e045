"""What a probe will cost, and the training after it, told before its first request. Imports nothing heavy."""

from core.llm.estimate import estimate
from core.rl.probe import questions, training
from core.rl.probe.recipe import Recipe

SAMPLE = 200
"""Prompts that are measured."""

ANSWER_TOKENS = 200
"""Of one answer, its thoughts included."""


def run(recipe: Recipe) -> str:
    """The requests, tokens, money and time of a recipe, in words; answers that exist already are not taken off."""
    found = questions.read(recipe)
    prompts = ["\n".join(m.content for m in question.messages) for question in found.asked[:SAMPLE]]
    told = estimate(recipe.llm, len(found.asked) * recipe.samples, prompts, ANSWER_TOKENS)
    plan, number = recipe.training, training.steps(recipe.training, found.rows)
    rollouts = number * plan.batch_size * plan.group_size
    return (
        f"{recipe.samples} answers to each of {len(found.asked):,} queries: {told}; a training of {number:,} steps x "
        f"{plan.batch_size:,} prompts x {plan.group_size} answers needs {rollouts:,} answers"
    )
