"""What a model's answers say, in whatever dress they come."""

import difflib
import re
from collections.abc import Mapping, Sequence
from typing import Any

from core.llm.errors import NoObject
from core.llm.repair import parse_object

CLOSE = 0.8
"""How like a listed character an answer must be to be taken for it (difflib's ratio)."""

_FENCE = re.compile(r"^```\w*\s*\n?|\n?```\s*$")
_THOUGHT = re.compile(r"^\s*(?:<think>)?.*?</think>", re.DOTALL)
_LABEL = re.compile(r"^\s*[\"'“]?Generated[_ ]Query[\"'”]?\s*[:：]\s*", re.IGNORECASE)
_NUMBER = re.compile(r"#?(\d{1,4})[.、)）]?$")
_QUOTES = {'"': '"', "'": "'", "`": "`", "“": "”", "‘": "’", "「": "」", "『": "』", "”": "”", "’": "’"}


class Unusable(Exception):
    """Why an answer cannot be used, in words that the model is told when it is asked again."""


def fields(text: str) -> dict[str, Any]:
    """The object in an answer, names in lower case; other fields than those asked for do no harm.

    Raises:
        Unusable: there is no object, or it was cut off: what it still holds may be half a sentence.
    """
    try:
        found = parse_object(text)
    except NoObject as error:
        raise Unusable(error.what) from None
    if found.repaired == "mended" and not text.rstrip("` \n").endswith("}"):
        raise Unusable("the JSON object is cut off")
    return {str(name).strip().lower(): value for name, value in found.value.items()}


def kind(found: Mapping[str, Any], name: str, allowed: Sequence[str]) -> str:
    """A field that holds one of a few names, however it is spelt.

    Raises:
        Unusable: it is absent or another.
    """
    value = found.get(name.lower())
    spelt = re.sub(r"[\s-]+", "_", re.split(r"[（(:：]", str(value).strip().lower())[0].strip())
    if spelt in allowed:
        return spelt
    raise Unusable(f"`{name}` is {value!r}, it must be one of {', '.join(allowed)}")


def character(found: Mapping[str, Any], candidates: Sequence[str]) -> str:
    """The candidate that the answer names: word for word, by its number from 1, or nearly so.

    Raises:
        Unusable: it is none of them.
    """
    value = found.get("characters", found.get("character"))
    if isinstance(value, list) and len(value) == 1:
        (value,) = value
    text = " ".join(str(value).split()).lstrip("- ")
    if (number := _NUMBER.match(text)) and 1 <= int(number[1]) <= len(candidates):
        return candidates[int(number[1]) - 1]
    by_text = {" ".join(candidate.split()): candidate for candidate in candidates}
    if near := difflib.get_close_matches(text, by_text, n=1, cutoff=CLOSE):
        return by_text[near[0]]
    raise Unusable(f"`Characters` is {text[:80]!r}, which is not in the list")


def query(text: str) -> str:
    """The query in an answer: `{"Generated_Query": …}`, another object with a single text, or the bare words.

    Raises:
        Unusable: there is none, or more than one line.
    """
    bare = _FENCE.sub("", _THOUGHT.sub("", text, count=1).strip()).strip()
    if "{" in bare:
        found = fields(bare)
        texts = [value for value in found.values() if isinstance(value, str)]
        value = found.get("generated_query", texts[0] if len(texts) == 1 else None)
        if not isinstance(value, str):
            raise Unusable("there is no text in `Generated_Query`")
        bare = value
    bare = _LABEL.sub("", bare).strip()
    lines = [line for line in bare.splitlines() if line.strip()]
    if len(lines) > 1:
        raise Unusable(f"it has {len(lines)} lines, one query is asked for")
    bare = unquoted(bare)
    if not bare:
        raise Unusable("the query is empty")
    return bare


def unquoted(text: str) -> str:
    """Without the quotation marks around the whole of it; in `“A” and “B”` they are around its parts, and stay."""
    text = text.strip()
    while len(text) > 1 and _QUOTES.get(text[0]) == text[-1] and not {text[0], text[-1]} & set(text[1:-1]):
        text = text[1:-1].strip()
    return text
