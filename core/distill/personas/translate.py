"""Personas put into Chinese by a language model."""

import asyncio
import contextlib
import logging
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from string import Template

import orjson

from core import progress
from core.artifact import Work
from core.distill import asked
from core.distill.answers import unquoted
from core.distill.personas.library import Persona
from core.distill.personas.recipe import Translate
from core.distill.refusals import refusal
from core.errors import DataError
from core.llm.chat import Message, Request
from core.llm.client import Client, open_client
from core.llm.errors import Unanswered
from core.llm.journal import Journal
from core.llm.over import over
from core.text.language import language_of

FAILED = "failed.jsonl"

log = logging.getLogger(__name__)


def all_of(spec: Translate, personas: Sequence[Persona], out: Path, work: Work) -> list[Persona]:
    """The personas in Chinese, in their order; those without a usable answer are in failed.jsonl instead.

    A persona that is Chinese already stays as it is and is not asked about.

    Raises:
        Missing: the server is not there, or does not take the key or the model.
        DataError: none could be translated.
    """
    asked.take_over_answers(out, work)
    with asked.reached(spec.llm.server, work.logs / "server.log") as base_url:
        answers = asyncio.run(_ask(spec, personas, work, base_url))
    failed = [(persona, answer) for persona, answer in zip(personas, answers, strict=True) if isinstance(answer, str)]
    (work.path / FAILED).unlink(missing_ok=True)  # of a run that was stopped
    if failed:
        rows = ({"id": persona.id, "persona": persona.text, "reason": reason} for persona, reason in failed)
        (work.path / FAILED).write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in rows))
        log.warning(
            "%d of %d personas were not translated and are left out: see %s", len(failed), len(personas), FAILED
        )
    work.stats["not_translated"] = dict(Counter(reason for _, reason in failed))
    if not (done := [answer for answer in answers if isinstance(answer, Persona)]):
        raise DataError(f"no persona could be translated: {failed[0][1]}, for `{failed[0][0].text}`")
    return done


async def _ask(spec: Translate, personas: Sequence[Persona], work: Work, base_url: str | None) -> list[Persona | str]:
    """Each persona translated, or the reason why it is not."""
    answers: list[Persona | str] = list(personas)
    foreign = [place for place, persona in enumerate(personas) if language_of(persona.text) != "zh"]
    with Journal(work.logs / asked.ANSWERS) as journal:
        async with open_client(spec.llm, journal, base_url=base_url) as client:

            async def one(place: int) -> Persona | str:
                return await _translated(spec, personas[place], client)

            with progress.bar("personas: translate", len(foreign)) as bar:
                async with contextlib.aclosing(over(foreign, one, client.window)) as done:
                    async for number, answer in done:
                        answers[foreign[number]] = answer
                        bar.advance()
            work.stats["llm"] = client.usage.stats()
    return answers


async def _translated(spec: Translate, persona: Persona, client: Client) -> Persona | str:
    message = Message("user", Template(spec.prompt).safe_substitute(persona=persona.text))
    reason = ""
    for attempt in range(spec.attempts):
        try:
            answer = await client.ask(Request((message,), attempt=attempt))
        except Unanswered as error:
            return error.reason
        text = unquoted(" ".join(answer.text.split()))
        if not (reason := _fault(text, answer.finish_reason)):
            return Persona(persona.id, text, original=persona.text)
    return reason


def _fault(text: str, finish_reason: str) -> str:
    """Why an answer is no translation; empty when it is one."""
    if finish_reason == "length":
        return "cut off"
    if refusal(text):
        return "refusal"
    return "" if language_of(text) == "zh" else "not Chinese"
