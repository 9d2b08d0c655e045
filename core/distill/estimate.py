"""What a distillation will cost, told before its first request. Imports nothing heavy: `--dry-run` shows it."""

from itertools import islice

from core.distill import plan, prompts
from core.distill.recipe import Recipe, TwoStage
from core.llm.estimate import estimate

SAMPLE = 200
"""Documents whose prompts are measured."""

ANSWER_TOKENS = 60
"""Of one answer: a small object with a persona's sentence or a query in it."""


def run(recipe: Recipe) -> str:
    """The requests, tokens, money and time of a recipe, in words; answers that exist already are not taken off."""
    planned, teacher = plan.of(recipe), recipe.teacher
    asked = len(planned) * recipe.per_document
    if not isinstance(teacher, TwoStage):
        return f"no language model is asked: {asked:,} queries at most for {len(planned):,} documents"
    templates = prompts.load(teacher.prompts)
    frame = sum(len(templates.templates[name].template) for name in ("system", "choose", "write"))
    frame += sum(map(len, [*templates.question_types.values(), *templates.difficulties.values()]))
    sample = [document.contents[: teacher.max_document_characters] for document in islice(planned.documents(), SAMPLE)]
    steered = teacher.balance.question_types and teacher.balance.difficulties and not teacher.personas
    steps = 1 if steered else 2
    # Half of the frame's characters stand in each of the two prompts; a persona has about 60.
    around = "中" * (frame // 2 + 60 * (teacher.personas.top_k if teacher.personas else 0))
    told = estimate(teacher.llm, asked * steps, [around + text for text in sample], ANSWER_TOKENS)
    return f"{asked:,} queries for {len(planned):,} documents: {told}"
