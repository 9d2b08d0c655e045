"""Several answers to each query, every one on disk before it is used."""

import contextlib
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from core import progress
from core.artifact.files import LOGS
from core.errors import Missing
from core.llm import service
from core.llm.chat import Answer, Request
from core.llm.client import Client, open_client
from core.llm.errors import Unanswered
from core.llm.journal import Journal, Spent
from core.llm.over import over
from core.llm.rewriting.rewrite import OF_THE_QUERY
from core.llm.spec import Llm, OpenAI
from core.llm.usage import Usage
from core.rl.probe.questions import Question
from core.text.answer import TAGS

ANSWERS = "answers.jsonl"


async def ask(
    llm: Llm,
    questions: Sequence[Question],
    samples: int,
    logs: Path,
    told: Callable[[Usage, Spent], None],
    beat: Callable[[], None],
) -> list[list[Answer | str]]:
    """The answers to each question; in the place of one that the server refuses for its content, why it does.

    `told` hears in the end what it took, now and with earlier runs of the same work. `beat` is called at each answer.

    Raises:
        Missing: the service is not there, or its response is none; what it answered before is kept.
        BudgetReached: a cap is met; likewise.
    """
    found: dict[int, Answer | str] = {}
    with contextlib.ExitStack() as stack:
        server = llm.server
        own = None if isinstance(server, OpenAI) else stack.enter_context(service.serving(server, logs / "server.log"))
        journal = stack.enter_context(Journal(logs / ANSWERS))
        bar = stack.enter_context(progress.bar("probe: ask", len(questions) * samples))
        async with open_client(llm, journal, base_url=own) as client:

            async def one(number: int) -> Answer | str:
                messages = questions[number // samples].messages
                return await _answer(client, Request(messages, attempt=number % samples))

            numbers = range(len(questions) * samples)
            async with contextlib.aclosing(over(numbers, one, client.window)) as done:
                async for number, answer in done:
                    found[number] = answer
                    bar.advance()
                    beat()
            told(client.usage, journal.spent)
    return [[found[first + sample] for sample in range(samples)] for first in range(0, len(found), samples)]


def take_over(out: Path, logs: Path) -> None:
    """Let a run begin with the answers of the finished artifact in its place: `--force` pays for none of them again."""
    if (out / LOGS / ANSWERS).is_file() and not (logs / ANSWERS).exists():
        shutil.copyfile(out / LOGS / ANSWERS, logs / ANSWERS)


def response(answer: Answer, *, prefilled: bool) -> str:
    """What a trainer would see of an answer: its thoughts stand before the rest, as the model wrote them.

    A server tells thoughts apart by `</think>` alone, so whether the opening tag was written is not known: it counts as
    written. `prefilled`: the reward adds that tag itself.
    """
    if not answer.reasoning:
        return answer.text
    # Cut off among its thoughts, a model has not ended them.
    ended = bool(answer.text) or answer.finish_reason != "length"
    whole = f"{TAGS[0]}{answer.reasoning}{TAGS[1] if ended else ''}{answer.text}"
    return whole.removeprefix(TAGS[0]) if prefilled else whole


async def _answer(client: Client, request: Request) -> Answer | str:
    try:
        return await client.ask(request)
    except Unanswered as error:
        if error.reason in OF_THE_QUERY:
            return error.reason
        hint = error.hint or "what was answered is kept; run again when the server works"
        raise Missing(f"the language model's server gave {error.what}", hint=hint) from None
