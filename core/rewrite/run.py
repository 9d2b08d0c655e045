"""Queries -> rewritten queries, in the order of the queries."""

from core.artifact import Work
from core.llm.rewriting import files
from core.rewrite import questions
from core.rewrite.recipe import Recipe


def run(recipe: Recipe, work: Work) -> None:
    """Fill `work` with the rewritten queries; goes on where a stopped run was.

    Raises:
        Missing: the service is not there, or its response is none; what it answered before is kept.
        BudgetReached: a cap is met; likewise.
        DataError: there is no query, or a bad one.
    """
    queries = questions.read(recipe.queries)
    work.stats |= files.make(recipe, queries, work.path, work.logs, samples=recipe.samples)
