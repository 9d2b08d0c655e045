"""The turns of a search agent: thoughts, calls of tools, what they answered, and the end."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from core.reward.sample import Sample

_TAG = re.compile(r"<(/?)(think|search|tool_call|information|tool_response|answer)>")
_CALL = re.compile(r"<tool_call>(.*?)(?:</tool_call>|\Z)", re.DOTALL)
_SEARCH = re.compile(r"<search>(.*?)</search>", re.DOTALL)
_ROLES = re.compile(r"\s*(?:user|assistant|tool)?\s*")

_AFTER = {
    "": {"think"},
    "think": {"search", "answer"},
    "search": {"information"},
    "information": {"think", "search", "answer"},
    "answer": set(),
}
"""What may follow what; a call of a tool is a search, its response information."""
_SAME = {"tool_call": "search", "tool_response": "information"}


class Call(NamedTuple):
    """A call of a tool, as the model wrote it."""

    tool: str
    """Empty: it cannot be read."""
    arguments: Mapping[str, Any]


def in_form(response: str) -> bool:
    """Whether thoughts, searches and their results follow each other and end in one answer, nothing between them.

    Role names between turns are what is left of a chat template after its special tokens are stripped.
    """
    last, open_, place = "", "", 0
    for tag in _TAG.finditer(response):
        name = _SAME.get(tag[2], tag[2])
        between = response[place : tag.start()]
        if tag[1]:
            if name != open_:
                return False
            last, open_ = name, ""
        elif open_ or name not in _AFTER[last] or not _ROLES.fullmatch(between):
            return False
        else:
            open_ = name
        place = tag.end()
    return last == "answer" and not open_ and not response[place:].strip()


def calls(sample: Sample) -> list[Call]:
    """The calls of a sample, in order: from its messages where there are some, else from the text of the response."""
    return list(_from_messages(sample) if sample.messages else _from_text(sample.response))


def _from_messages(sample: Sample) -> Iterator[Call]:
    for message in sample.messages:
        for call in message.get("tool_calls") or ():
            function = call.get("function", call)
            yield _call(function)


def _from_text(response: str) -> Iterator[Call]:
    for found in re.finditer(f"{_CALL.pattern}|{_SEARCH.pattern}", response, re.DOTALL):
        if found[2] is not None:
            yield Call("search", {"query": found[2].strip()})
            continue
        try:
            yield _call(json.loads(found[1], strict=False))
        except (ValueError, RecursionError):
            yield Call("", {})


def _call(function: Any) -> Call:
    """A call by name and arguments; the arguments may be JSON text."""
    if not isinstance(function, dict) or not isinstance(function.get("name"), str):
        return Call("", {})
    arguments = function.get("arguments", function.get("parameters"))
    if isinstance(arguments, str):
        try:
            arguments = json.loads(arguments)
        except (ValueError, RecursionError):
            return Call("", {})
    return Call(function["name"], arguments) if isinstance(arguments, dict) else Call("", {})
