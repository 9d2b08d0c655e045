"""The JSON object in an answer, however it is wrapped or broken."""

import json
import re
from dataclasses import dataclass
from typing import Any

import orjson

from core.lazy import require
from core.llm.errors import NoObject

_THOUGHT = re.compile(r"^\s*(?:<think>.*?(?:</think>|\Z)|.*?</think>)", re.DOTALL)
_FENCE = re.compile(r"```(?:json[c5]?)?\s*\n?(.*?)(?:```|\Z)", re.DOTALL | re.IGNORECASE)
_OPENS = re.compile(r"\{\s*[\"'“]")
_DECODER = json.JSONDecoder()

MENDED_CHARACTERS = 8_000
"""Of an answer that is mended: what never closes a brace takes time that grows with the square of its length."""


@dataclass(frozen=True, slots=True)
class Parsed:
    """An object found in an answer."""

    value: dict[str, Any]
    repaired: str
    """What had to be done: empty (it was JSON), `unwrapped` (prose or fences around it), `mended` (broken JSON)."""


def parse_object(text: str) -> Parsed:
    """The first JSON object in `text`, taken out of prose, code fences and thoughts, and mended when broken.

    A mended object may lack what was cut off: check its fields.

    Raises:
        NoObject: there is none.
    """
    if (value := _strict(text)) is not None:
        return Parsed(value, "")
    bare = _THOUGHT.sub("", text, count=1) if "think>" in text else text
    for candidate in [*(match[1] for match in _FENCE.finditer(bare)), bare]:
        if (value := _strict(candidate)) is not None or (value := _embedded(candidate)) is not None:
            return Parsed(value, "unwrapped")
    if (value := _mended(bare)) is not None:
        return Parsed(value, "mended")
    raise NoObject(f"the answer holds no JSON object: {_excerpt(text)}")


def _strict(text: str) -> dict[str, Any] | None:
    try:
        value = orjson.loads(text)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def _embedded(text: str) -> dict[str, Any] | None:
    """A whole object that begins where the first one seems to; what follows it does not matter."""
    try:
        value, _ = _DECODER.raw_decode(text, _start(text))
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) and value and _is_text(value) else None  # `{}` stands in prose by chance


def _mended(text: str) -> dict[str, Any] | None:
    start = _start(text)
    if start == len(text) or len(text) - start > MENDED_CHARACTERS:
        return None
    try:
        value = require("json_repair").loads(text[start:], skip_json_loads=True)
    except (ValueError, RecursionError):
        return None
    if isinstance(value, list):  # it makes a list of several pieces: the first object is the answer
        value = next((item for item in value if isinstance(item, dict) and item), None)
    return value if isinstance(value, dict) and value and _is_text(value) else None


def _is_text(value: dict[str, Any]) -> bool:
    """Whether UTF-8 can hold it: `\\ud83d` alone is half a character, and no file takes it."""
    try:
        orjson.dumps(value)
    except TypeError:
        return False
    return True


def _start(text: str) -> int:
    """Where the object begins: a brace before a quoted key, or else any brace; the text's end when there is none."""
    if found := _OPENS.search(text):
        return found.start()
    return text.find("{") if "{" in text else len(text)


def _excerpt(text: str) -> str:
    short = " ".join(text.split())
    return repr(short if len(short) <= 160 else f"{short[:100]} ... {short[-50:]}")
