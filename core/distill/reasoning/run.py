"""`dr distill reasoning`: messages.jsonl, rejected.jsonl, failed.jsonl, and every answer in logs/answers.jsonl."""

import asyncio
import contextlib
import logging
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Any

import orjson

from core import progress
from core.artifact import Work
from core.distill import asked, prompts
from core.distill.answers import Unusable
from core.distill.reasoning import worked
from core.distill.reasoning.recipe import Recipe
from core.distill.reasoning.worked import Worked
from core.errors import DataError
from core.formats import bad_rows
from core.formats.fields import find_text, string
from core.formats.rows import BadRow, OnBad, Row, objects
from core.llm.chat import Message, Request
from core.llm.client import Client, open_client
from core.llm.errors import Unanswered
from core.llm.journal import Journal
from core.llm.over import over

MESSAGES, FAILED, REJECTED = "messages.jsonl", "failed.jsonl", "rejected.jsonl"

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Question:
    """One row of the user's file."""

    id: str
    text: str
    context: str
    answer: str | None


@dataclass(frozen=True, slots=True)
class Missed:
    """A worked answer that was asked for and not got; `last` is what the model said in the end."""

    question: Question
    reason: str
    detail: str
    last: str


def run(recipe: Recipe, work: Work) -> None:
    """Questions -> rows of messages, in their order.

    Raises:
        DataError: a bad question under `on_bad_row: fail`, or no worked answer at all.
        Missing, BudgetReached: see `core.llm.client`; what was answered is kept.
    """
    asked.take_over_answers(recipe.out, work)
    with bad_rows.opened(recipe.on_bad_row, work.path / REJECTED) as bad:
        questions = list(_questions(recipe, bad))
        bad.settle()
    solver = prompts.load_solver(recipe.prompts)  # a fault of theirs is told before a server starts
    with asked.reached(recipe.llm.server, work.logs / "server.log") as base_url:
        outcomes = asyncio.run(_ask_all(recipe, solver, questions, work, base_url))
    rows = [row for question, found in zip(questions, outcomes, strict=True) for row in _rows(recipe, question, found)]
    missed = [outcome for found in outcomes for outcome in found if isinstance(outcome, Missed)]
    _write(work.path / FAILED, map(_failure, missed))
    if not rows:
        first = missed[0].detail if missed else "no question can be read"
        if missed:
            asked.set_aside_answers(work)
        raise DataError(f"no worked answer is left; the first: {first}", where=str(work.path), hint=asked.ANEW)
    if missed:
        wanted = len(questions) * recipe.per_question
        log.warning("%d of %d worked answers were not got: see %s", len(missed), wanted, FAILED)
    _write(work.path / MESSAGES, rows)
    work.stats |= {
        "questions": len(questions),
        "rows": len(rows),
        "checked": sum(question.answer is not None for question in questions),
        "bad_rows": dict(bad.counts),
        "failed": dict(sorted(Counter(outcome.reason for outcome in missed).items())),
    }


def _questions(recipe: Recipe, on_bad: OnBad) -> Iterator[Question]:
    for number, row in enumerate(objects(recipe.questions, on_bad), start=1):
        try:
            question = _question(row, number)
        except BadRow as error:
            on_bad(error)
            continue
        yield question


def _question(row: Row, number: int) -> Question:
    text = string(row, find_text(row, ("question", "query", "text"))).strip()
    if not text:
        raise BadRow("empty query", "the question is empty", where=row.where, row=row.fields)
    true = row.fields.get("answer")
    context = str(row.fields.get("context") or "")
    return Question(str(row.fields.get("id", number)), text, context, None if true is None else str(true))


async def _ask_all(
    recipe: Recipe, solver: Mapping[str, Template], questions: Sequence[Question], work: Work, base_url: str | None
) -> list[Sequence[Worked | Missed]]:
    outcomes: list[Sequence[Worked | Missed]] = [()] * len(questions)
    with Journal(work.logs / asked.ANSWERS) as journal:
        async with open_client(recipe.llm, journal, base_url=base_url) as client:

            async def one(question: Question) -> list[Worked | Missed]:
                return [await _solve(recipe, client, solver, question, n) for n in range(recipe.per_question)]

            with progress.bar("reasoning: ask", len(questions)) as bar:
                async with contextlib.aclosing(over(questions, one, client.window)) as done:
                    async for place, found in done:
                        outcomes[place] = found
                        bar.advance()
            work.stats["llm"] = client.usage.stats()
    return outcomes


async def _solve(
    recipe: Recipe, client: Client, solver: Mapping[str, Template], question: Question, sample: int
) -> Worked | Missed:
    prompt = solver["solve"].substitute(question=question.text, context=question.context).strip()
    messages = (Message("system", solver["system"].substitute().strip()), Message("user", prompt))
    reason, detail, last = "", "", ""
    # Numbered so that a raised `attempts` goes on where the last run gave up.
    for attempt in range(sample, sample + recipe.attempts * recipe.per_question, recipe.per_question):
        try:
            answer = await client.ask(Request(messages, None, attempt))
        except Unanswered as error:
            return Missed(question, error.reason, error.what, last)
        last = answer.text
        try:
            found = worked.read(answer)
        except Unusable as error:
            reason, detail = "unusable answer", str(error)
            continue
        if question.answer is None or worked.agrees(found.answer, question.answer, recipe.tolerance):
            return found
        # The true answer is not told: thoughts that lead to a given end are no reasoning.
        reason, detail = "wrong answer", f"{found.answer!r}, the true one is {question.answer!r}"
    return Missed(question, reason, detail, last)


def _rows(recipe: Recipe, question: Question, found: Sequence[Worked | Missed]) -> Iterator[dict[str, Any]]:
    """Each different worked answer as a conversation; the prompt is the question alone, as users will ask it."""
    asked_ = f"{question.context}\n\n{question.text}" if question.context else question.text
    for outcome in dict.fromkeys(outcome for outcome in found if isinstance(outcome, Worked)):
        yield {
            "messages": [
                {"role": "user", "content": asked_},
                {"role": "assistant", "content": outcome.content},
            ],
            "metadata": {"id": question.id, "checked": question.answer is not None, "model": recipe.llm.server.model},
        }


def _failure(missed: Missed) -> dict[str, Any]:
    return {
        "id": missed.question.id,
        "question": missed.question.text,
        "reason": missed.reason,
        "detail": missed.detail,
        "last": missed.last,
    }


def _write(path: Path, rows: Any) -> None:
    """Write rows as JSON lines; no file where there are none, nor one that a stopped run left."""
    lines = [orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE) for row in rows]
    path.unlink(missing_ok=True)
    if lines:
        path.write_bytes(b"".join(lines))
