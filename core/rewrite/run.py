"""Queries -> rewritten queries, in the order of the queries."""

import asyncio
import contextlib
import logging
import shutil
from collections import Counter
from collections.abc import Sequence

import orjson

from core import progress
from core.artifact import Work
from core.llm.rewriting import template as templates
from core.llm.rewriting.rewrite import Rewritten
from core.llm.rewriting.template import Template
from core.llm.usage import Usage
from core.rewrite import questions
from core.rewrite.asking import ask
from core.rewrite.recipe import Recipe
from core.types import Query

REWRITES = "rewrites.jsonl"
PROMPTS = "prompts"
"""The template, as whoever asks the model again needs it."""

log = logging.getLogger(__name__)


def run(recipe: Recipe, work: Work) -> None:
    """Fill `work` with the rewritten queries; goes on where a stopped run was.

    Raises:
        Missing: the service is not there, or its response is none; what it answered before is kept.
        BudgetReached: a cap is met; likewise.
        DataError: there is no query, or a bad one.
    """
    template = templates.load(recipe.prompts)
    queries = questions.read(recipe.queries)
    rewrites = asyncio.run(_ask(recipe, template, queries, work))
    with (work.path / REWRITES).open("wb") as file:
        for number, done in enumerate(rewrites):
            query, sample = queries[number // recipe.samples], number % recipe.samples
            file.write(orjson.dumps(row(query, done) | {"sample": sample}, option=orjson.OPT_APPEND_NEWLINE))
    shutil.rmtree(work.path / PROMPTS, ignore_errors=True)  # of a run that was stopped
    template.prompts.write(work.path / PROMPTS)
    work.stats |= {"queries": len(queries), "prompts": template.facts(), **_counted(rewrites)}
    _tell(work)


def row(query: Query, done: Rewritten) -> dict[str, object]:
    """A line of rewrites.jsonl."""
    return {"query_id": query.id, "query": done.query, "rewritten": done.rewritten, "fallback": done.fallback}


async def _ask(recipe: Recipe, template: Template, queries: Sequence[Query], work: Work) -> list[Rewritten]:
    """What became of each query, in their order."""

    def told(usage: Usage) -> None:
        log.info("%s", usage)
        work.stats["llm"] = usage.stats()

    texts = [query.text for query in queries]
    found: dict[int, Rewritten] = {}
    with progress.bar("rewrite", len(texts) * recipe.samples) as bar:
        asked = ask(recipe, template, texts, work.logs, samples=recipe.samples, told=told)
        async with contextlib.aclosing(asked):
            async for number, done in asked:
                found[number] = done
                bar.advance()
    return [found[number] for number in range(len(found))]


def _counted(rewrites: Sequence[Rewritten]) -> dict[str, object]:
    fallbacks = Counter(done.fallback for done in rewrites if done.fallback)
    return {
        "rewrites": len(rewrites),
        "changed": sum(done.rewritten != done.query for done in rewrites),
        "fallbacks": dict(sorted(fallbacks.items())),
        "fallback_share": fallbacks.total() / len(rewrites),
    }


def _tell(work: Work) -> None:
    """Say how many queries stand as they were because the answer could not be used."""
    stats = work.stats
    log.info("%d of %d rewrites differ from their query", stats["changed"], stats["rewrites"])
    if stats["fallbacks"]:
        reasons = ", ".join(f"{count} × {reason}" for reason, count in stats["fallbacks"].items())
        log.warning("%.1f %% of the answers could not be used (%s): the original query stands there, see `fallback` in "
                    "%s", 100 * stats["fallback_share"], reasons, REWRITES)  # fmt: skip
