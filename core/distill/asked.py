"""Running the language model over a plan: many documents at once, every answer on disk before it is used."""

import contextlib
import logging
import shutil
from collections.abc import Iterator, Sequence
from itertools import islice, repeat
from pathlib import Path

from core import progress
from core.artifact import LOGS, Work
from core.distill import plan as plans
from core.distill import prompts
from core.distill.personas.finder import open_personas
from core.distill.plan import Plan
from core.distill.recipe import Personas, Recipe, TwoStage
from core.distill.tried import TRIED, Tried
from core.distill.two_stage import Outcome, Task, TwoStageTeacher
from core.llm import service
from core.llm.client import open_client
from core.llm.journal import Journal
from core.llm.over import over
from core.llm.spec import OpenAI, Server

ANSWERS = "answers.jsonl"
"""The journal, under the logs of the artifact: the order in which answers came is no part of the result."""

ANEW = "mend the prompts or the server, then run it again: it asks anew (what was answered is kept in the logs)"
"""What to do when none of the answers can be used."""

BATCH = 256
"""Documents whose personas are looked up at once."""

log = logging.getLogger(__name__)


def take_over_answers(out: Path, work: Work) -> None:
    """Let a run begin with the answers of the finished artifact in its place: what was paid for is not asked again.

    What had to be asked for more than once there comes with them, and is looked for where it was found in the end.
    """
    for name in (TRIED, ANSWERS):
        its = out / LOGS / name
        if its.is_file() and not (work.logs / ANSWERS).exists():
            half = (work.logs / name).with_suffix(".half")
            shutil.copyfile(its, half)
            half.rename(work.logs / name)
            log.info("%s is used where the same is asked again", its)


def set_aside_answers(work: Work) -> Path:
    """Put the journal of a run that could use none of its answers aside, so that the next one asks anew; its place."""
    count = 1
    while (aside := work.logs / f"unusable-{count}.jsonl").exists():
        count += 1
    (work.logs / ANSWERS).rename(aside)
    return aside


@contextlib.contextmanager
def reached(server: Server, log_file: Path) -> Iterator[str | None]:
    """Where the model answers that we serve ourselves, for the length of the block; None when somebody else does."""
    if isinstance(server, OpenAI):
        yield None
        return
    with service.serving(server, log_file) as base_url:
        yield base_url


async def ask(
    recipe: Recipe,
    teacher: TwoStage,
    templates: prompts.Prompts,
    plan: Plan,
    work: Work,
    tried: Tried,
    base_url: str | None,
) -> list[Sequence[Outcome]]:
    """The outcomes of each document, in the order of the corpus. `base_url`: where a server of our own is.

    Raises:
        Missing: the endpoint is down, or does not take the key or the model.
        BudgetReached: a cap is met.
    """
    tasks = list_tasks(recipe, teacher, plan)
    outcomes: list[Sequence[Outcome]] = [()] * len(plan)
    with Journal(work.logs / ANSWERS) as journal:
        async with open_client(teacher.llm, journal, base_url=base_url) as client:
            writer = TwoStageTeacher(teacher, client, templates, tried)
            with progress.bar("distill: ask", len(plan)) as bar:
                async with contextlib.aclosing(over(tasks, writer.write, client.window)) as done:
                    async for place, found in done:
                        outcomes[place] = found
                        bar.advance()
            log.info("%s", client.usage)
            work.stats["llm"] = client.usage.stats()
    return outcomes


def list_tasks(recipe: Recipe, teacher: TwoStage, plan: Plan) -> Iterator[Task]:
    """What is asked, document by document. Personas are found for all of them before the first is given out."""
    total, each = len(plan) * recipe.per_document, recipe.per_document
    types = plans.deck(teacher.balance.question_types, total, f"{recipe.seed}/question types")
    levels = plans.deck(teacher.balance.difficulties, total, f"{recipe.seed}/difficulties")
    characters = _characters(teacher.personas, plan) if teacher.personas else repeat(())
    for place, (document, who) in enumerate(zip(plan.documents(), characters, strict=False)):
        hand = slice(place * each, (place + 1) * each)
        nothing = (None,) * each
        yield Task(document, who, types[hand] if types else nothing, levels[hand] if levels else nothing)


def _characters(spec: Personas, plan: Plan) -> list[Sequence[str]]:
    finder = open_personas(spec.index)
    texts = (document.contents[: spec.document_characters] for document in plan.documents())
    found: list[Sequence[str]] = []
    with progress.bar("distill: find personas", len(plan)) as bar:
        while batch := list(islice(texts, BATCH)):
            found += finder.nearest(batch, spec.top_k)
            bar.advance(len(batch))
    if nobody := sum(not who for who in found):
        log.warning("%d of %d documents (%.0f %%) find no persona: nobody in particular asks about them", nobody,
                    len(found), 100 * nobody / len(found))  # fmt: skip
    return found
