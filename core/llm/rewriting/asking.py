"""Many queries asked about at once, every answer on disk before it is used."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator, Callable, Sequence
from pathlib import Path

from core import progress
from core.llm import checkpoint, service
from core.llm.client import open_client
from core.llm.journal import Journal
from core.llm.over import over
from core.llm.rewriting.rewrite import Rewritten, rewrite
from core.llm.rewriting.spec import Rewriter
from core.llm.rewriting.template import Template
from core.llm.spec import OpenAI
from core.llm.usage import Usage

log = logging.getLogger(__name__)

ANSWERS = "answers.jsonl"
"""The journal: the order in which answers came is no part of the result."""


async def ask(
    rewriter: Rewriter,
    template: Template,
    queries: Sequence[str],
    logs: Path,
    *,
    samples: int = 1,
    told: Callable[[Usage], None] = lambda _: None,
) -> AsyncGenerator[tuple[int, Rewritten], None]:
    """The number of each rewrite (that of its query × `samples` + that of the sample) and the rewrite, as they come.

    The journal lies in `logs`; a server of our own runs for the length of the loop, its log there too. `told` hears in
    the end what it took.

    Raises:
        Missing: the service is not there, or its response is none; what it answered before is kept.
        BudgetReached: a cap is met; likewise.
    """
    server = rewriter.llm.server
    if differs := checkpoint.differs(server.model, template.facts()):
        log.warning("%s", differs)
    with contextlib.ExitStack() as stack:
        own = None if isinstance(server, OpenAI) else stack.enter_context(service.serving(server, logs / "server.log"))
        journal = stack.enter_context(Journal(logs / ANSWERS))
        async with open_client(rewriter.llm, journal, base_url=own) as client:

            async def one(number: int) -> Rewritten:
                return await rewrite(template, client, queries[number // samples], number % samples)

            async with contextlib.aclosing(over(range(len(queries) * samples), one, client.window)) as done:
                async for number, rewritten in done:
                    yield number, rewritten
            told(client.usage)


def ask_all(
    rewriter: Rewriter,
    template: Template,
    queries: Sequence[str],
    logs: Path,
    *,
    samples: int = 1,
    told: Callable[[Usage], None] = lambda _: None,
) -> list[Rewritten]:
    """The rewrites in the order of the queries, a bar shown meanwhile; see `ask`."""

    async def collect() -> dict[int, Rewritten]:
        found: dict[int, Rewritten] = {}
        with progress.bar("rewrite", len(queries) * samples) as bar:
            async with contextlib.aclosing(ask(rewriter, template, queries, logs, samples=samples, told=told)) as asked:
                async for number, done in asked:
                    found[number] = done
                    bar.advance()
        return found

    found = asyncio.run(collect())
    return [found[number] for number in range(len(found))]
