"""Conversations as people keep them for fine-tuning, and the one form that we make of them.

    {"messages": [{"role": "HUMAN", "content": "…"}, {"role": "ASSISTANT", "content": "<think>…</think>…"}]}
    {"conversations": [{"from": "human", "value": "…"}, {"from": "gpt", "value": "…"}], "system": "…"}
    {"instruction": "…", "input": "…", "output": "…", "history": [["…", "…"]]}
    {"question": "…", "answer": "…"}

Roles may be in any case; they become `system`, `user` and `assistant`. The words stay as they are, think tags too.
"""

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from core.formats import values
from core.formats.rows import BadRow, Row, kind_of

SYSTEM, USER, ASSISTANT = "system", "user", "assistant"

LISTS = ("messages", "conversations", "conversation")
"""Fields that may hold a list of messages."""
PAIRS = (("instruction", "output"), ("question", "answer"), ("prompt", "response"), ("query", "response"))
"""Fields that may hold one question and its answer."""

_ROLES = {
    **dict.fromkeys(("user", "human"), USER),
    **dict.fromkeys(("assistant", "gpt", "bot", "chatgpt", "model"), ASSISTANT),
    "system": SYSTEM,
}
_SPELLINGS = (("role", "content"), ("from", "value"))
_THOUGHT = re.compile(r"<think>.*?</think>", re.DOTALL)


class Message(NamedTuple):
    """One turn."""

    role: str
    content: str


def conversation(row: Row) -> tuple[Message, ...]:
    """The conversation in a row: perhaps a system message, then user and assistant by turns; the last one answers.

    Raises:
        BadRow: there is none, a role is unknown, they do not alternate, or an answer is missing.
    """
    messages = tuple(_messages(row))
    _check_turns(messages, row)
    return messages


def as_dicts(messages: tuple[Message, ...]) -> list[dict[str, str]]:
    """Messages as chat templates and parquet files take them."""
    return [message._asdict() for message in messages]


def _messages(row: Row) -> Iterator[Message]:
    name = next((name for name in LISTS if row.fields.get(name) is not None), None)
    if row.fields.get("tools"):
        raise _bad(row, "`tools` are given: conversations with tool calls have no form here that loses nothing")
    if system := values.optional_text(row, "system"):
        yield Message(SYSTEM, system)
    if name is None:
        yield from _pair(row)
        return
    for place, value in enumerate(values.items(row, name)):
        yield _message(row, f"{name}[{place}]", value)


def _message(row: Row, where: str, value: Any) -> Message:
    if not isinstance(value, dict):
        raise _bad(row, f"`{where}` is {kind_of(value)}, an object with `role` and `content` is needed")
    spelling = next((names for names in _SPELLINGS if names[0] in value), None)
    if spelling is None:
        there = ", ".join(f"`{name}`" for name in value) or "no field"
        raise _bad(row, f"`{where}` has no `role` (or `from`); it has {there}")
    role_name, content_name = spelling
    role, content = value[role_name], value.get(content_name)
    if value.get("tool_calls") or not isinstance(role, str) or role.strip().lower() not in _ROLES:
        told = "calls a tool" if value.get("tool_calls") else f"has the role {role!r}"
        raise _bad(row, f"`{where}` {told}: roles are system, user or human, assistant, gpt or bot")
    if not isinstance(content, str):
        raise _bad(row, f"`{where}.{content_name}` is {kind_of(content)}, not text")
    return Message(_ROLES[role.strip().lower()], content)


def _pair(row: Row) -> Iterator[Message]:
    """One question and its answer in fields of their own, Alpaca's `input` and `history` too."""
    names = next((pair for pair in PAIRS if pair[0] in row.fields and pair[1] in row.fields), None)
    if names is None:
        there = ", ".join(f"`{field}`" for field in row.fields) or "no field"
        hint = "rename the field that holds the messages to `messages`"
        raise _bad(
            row, f"no conversation: neither `messages` nor a question with its answer; the row has {there}", hint
        )
    for place, turn in enumerate(values.items(row, "history")):
        if not isinstance(turn, list) or [type(text) for text in turn] != [str, str]:
            raise _bad(row, f"`history[{place}]` is not a question and its answer")
        yield Message(USER, turn[0])
        yield Message(ASSISTANT, turn[1])
    more = values.optional_text(row, "input") if names[0] == "instruction" else ""
    yield Message(USER, "\n".join(filter(None, (values.text(row, names[0]), more))))
    yield Message(ASSISTANT, values.text(row, names[1]))


def _check_turns(messages: tuple[Message, ...], row: Row) -> None:
    turns = [message for place, message in enumerate(messages) if place or message.role != SYSTEM]
    if not turns:
        raise _bad(row, "the conversation is empty")
    for place, message in enumerate(turns):
        due = ASSISTANT if place % 2 else USER
        if message.role != due:
            raise _bad(row, f"the roles do not alternate: turn {place + 1} is of the {message.role}, the {due} is due")
        if not message.content.strip():
            raise _bad(row, f"turn {place + 1}, of the {message.role}, is empty")
        if message.role == ASSISTANT and not _THOUGHT.sub("", message.content).strip():
            raise _bad(row, f"turn {place + 1} has thoughts and no answer after `</think>`")
    if turns[-1].role != ASSISTANT:
        raise _bad(row, f"no answer: the conversation ends with the {turns[-1].role}")


def _bad(row: Row, what: str, hint: str | None = None) -> BadRow:
    return BadRow("bad conversation", what, where=row.where, row=row.fields, hint=hint)
