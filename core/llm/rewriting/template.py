"""The words that a model is asked in for a rewritten query, and what the template says of itself.

The head of a template (see `core.formats.prompts`) has three fields, each with a default:

    ---
    language: en      # writing of the rewritten queries, in words: zh, en; null: that of the query
    boolean: false    # whether they hold operators (AND, OR, NOT), which only some engines parse
    prefill: false    # whether the model's answer is begun for it by `<think>`
    ---
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import yaml
from pydantic import ValidationError

from core.errors import ContractError, RecipeError
from core.formats import prompts
from core.formats.messages import ASSISTANT
from core.formats.prompts import Prompts
from core.llm.chat import Message, Request
from core.llm.rewriting.spec import domains, prompts_at
from core.recipe import Part
from core.text import answer

NAMES = ("query",)
"""Placeholders of a template."""


class Head(Part):
    """What a template says of itself."""

    language: str | None = None
    """Writing of the rewritten queries: zh, en. null: that of the query."""
    boolean: bool = False
    """Whether they hold Boolean operators."""
    prefill: bool = False
    """Whether the model's answer is begun for it by `<think>`."""


@dataclass(frozen=True)
class Template:
    """A template, read and checked."""

    name: str
    prompts: Prompts
    head: Head

    @cached_property
    def example(self) -> str | None:
        """The query that stands in the template to show the form; a model that answers it has not rewritten."""
        return answer.read(f"{self.prompts.system}\n{self.prompts.user}").query

    def request(self, query: str, sample: int) -> Request:
        """What is asked for the rewritten `query`; `sample` counts from 0."""
        begun = (Message(ASSISTANT, answer.TAGS[0]),) if self.head.prefill else ()
        asked = (Message(message.role, message.content) for message in self.prompts.fill(query=query))
        return Request((*asked, *begun), attempt=sample)

    def facts(self) -> dict[str, Any]:
        """What whoever uses the rewritten queries must know, for a manifest. The digest is that of training rows."""
        return {"name": self.name, "digest": self.prompts.digest, **self.head.model_dump()}


def load(name: str) -> Template:
    """The template of this name.

    Raises:
        RecipeError: it is not there, holds no `$query`, or its head says something unknown.
    """
    place = prompts_at(name)
    found = prompts.read(place, needed=NAMES)
    try:
        head = Head.model_validate(yaml.safe_load(found.head) or {})
    except yaml.YAMLError as error:
        raise RecipeError(f"the template's head is no YAML: {error}", where=str(place)) from None
    except ValidationError as error:
        (fault, *_) = error.errors(include_url=False)
        field = ".".join(map(str, fault["loc"])) or "head"
        hint = f"there are {', '.join(f'`{name}`' for name in Head.model_fields)}"
        raise RecipeError(f"the template's head: `{field}`: {fault['msg']}", where=str(place), hint=hint) from None
    return Template(name, found, head)


def writes_operators(digest: str) -> bool:
    """Whether one of the shipped templates, of which only the digest is known, writes AND, OR and NOT."""
    found = (load(name) for name in domains())
    return any(each.head.boolean for each in found if each.prompts.digest == digest)


def refuse_operators(facts: dict[str, Any], deaf: Sequence[str], where: str) -> None:
    """Stop where rewritten queries hold Boolean operators and somebody takes them for words: `deaf` names who.

    All ways of an index of ours do; an engine of others says so itself (`core.remote.spec`).

    Raises:
        ContractError: so it is.
    """
    if facts["boolean"] and deaf:
        raise ContractError(
            f"the prompt template `{facts['name']}` writes Boolean operators, and {' or '.join(deaf)} takes them for "
            "words",
            where=where,
            hint="rewrite with a template without them, such as `prompts: general`, or search with an engine that "
            "parses AND, OR and NOT (`engine: {type: pubmed}`, or another with `boolean: true`)",
        )
