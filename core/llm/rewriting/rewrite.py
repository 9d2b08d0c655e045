"""One query rewritten. An answer that cannot be used leaves the query as it was, with the reason; a service that gives
no answer is an error, never the old query."""

from dataclasses import dataclass

from core.errors import Missing
from core.llm.chat import Answer
from core.llm.client import Client
from core.llm.errors import Unanswered
from core.llm.rewriting.template import Template
from core.text import answer as contract

OF_THE_QUERY = frozenset({"content filter", "context too long", "refusal"})
"""Refusals by a server that works, about this very query: it would refuse it again."""

BLANK = "blank query"
EXAMPLE = "the prompt's own example"
CUT_OFF = "cut off"


@dataclass(frozen=True, slots=True)
class Rewritten:
    """A query and what became of it."""

    query: str
    rewritten: str
    """The query itself where there is a `fallback`."""
    fallback: str | None
    """Why the model's answer could not be used. None: it was."""


async def rewrite(template: Template, client: Client, query: str, sample: int = 0) -> Rewritten:
    """What `query` is rewritten to; a blank one is not asked about.

    Raises:
        Missing: the service is not there, or its response is none: no `choices[0].message.content`, an HTTP error.
        BudgetReached: a cap is met.
    """
    if not query.strip():
        return Rewritten(query, query, BLANK)
    try:
        answered = await client.ask(template.request(query, sample))
    except Unanswered as error:
        if error.reason in OF_THE_QUERY:
            return Rewritten(query, query, error.reason)
        hint = error.hint or "is it an OpenAI-compatible chat API? what was answered is kept; run again when it works"
        raise Missing(f"the language model's server gave {error.what}", hint=hint) from None
    return read(template, query, answered)


def read(template: Template, query: str, answered: Answer) -> Rewritten:
    """What an answer makes of `query`."""
    found = contract.read(_whole(answered))
    if found.query is None:
        return Rewritten(query, query, CUT_OFF if answered.finish_reason == "length" else found.why)
    if found.query == template.example:
        return Rewritten(query, query, EXAMPLE)
    return Rewritten(query, found.query, None)


def _whole(answered: Answer) -> str:
    """What the model wrote, its thoughts put back before the rest: it may have answered among them."""
    if not answered.reasoning:
        return answered.text
    start, end = contract.TAGS[:2]
    return f"{start}{answered.reasoning}{f'{end}{answered.text}' if answered.text else ''}"
