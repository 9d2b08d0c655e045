"""What a distillation will cost, told before its first request. Imports nothing heavy: `--dry-run` shows it."""

from itertools import islice

from core.distill import plan, prompts
from core.distill.recipe import Recipe, TwoStage
from core.llm.estimate import estimate

SAMPLE = 200
"""Documents whose prompts are measured."""

PERSONA_CHARACTERS = 60

ANSWER_TOKENS = 60
"""Of one answer: a small object with a persona's sentence or a query in it."""


def run(recipe: Recipe) -> str:
    """The requests, tokens, money and time of a recipe, in words; answers that exist already are not taken off."""
    planned, teacher = plan.of(recipe), recipe.teacher
    asked = len(planned) * recipe.per_document
    if not isinstance(teacher, TwoStage):
        return f"no language model is asked: {asked:,} queries at most for {len(planned):,} documents"
    steered = teacher.balance.question_types and teacher.balance.difficulties and not teacher.personas
    texts = [document.contents[: teacher.max_document_characters] for document in islice(planned.documents(), SAMPLE)]
    templates = prompts.load(teacher.prompts)
    sample = [prompt for text in texts for prompt in _prompts(teacher, templates, text, choose=not steered)]
    told = estimate(teacher.llm, asked * len(sample) // len(texts), sample, ANSWER_TOKENS)
    return f"{asked:,} queries for {len(planned):,} documents: {told}"


def _prompts(teacher: TwoStage, templates: prompts.Prompts, text: str, *, choose: bool) -> list[str]:
    """About what is sent for one query: the templates with the document, and where personas are, some of its words."""
    system, stage_1, stage_2 = (templates.templates[name].template for name in ("system", "choose", "write"))
    kinds = "".join([*templates.question_types.values(), *templates.difficulties.values()])
    personas = text[:PERSONA_CHARACTERS] * (teacher.personas.top_k if teacher.personas else 0)
    return [*([system + stage_1 + kinds + personas + text] if choose else []), system + stage_2 + text]
