"""What a chat completion says."""

from typing import Any

import orjson

from core.llm.chat import Answer
from core.llm.faults import Fault, Verdict, told

_OPEN, _CLOSE = "<think>", "</think>"


def read(body: bytes) -> Answer | Fault:
    """The answer in the body of an HTTP 200; counts of tokens that the server does not give are -1."""
    try:
        value: Any = orjson.loads(body)
        choice = value["choices"][0]
        message = choice["message"]
        content, usage = _said(message.get("content")), value.get("usage") or {}
        finish = str(choice.get("finish_reason") or "")
        aloud = _said(message.get("reasoning_content")) or _said(message.get("reasoning")) or ""
        counts = [_count(usage, name) for name in ("prompt_tokens", "completion_tokens")]
    except (ValueError, KeyError, IndexError, TypeError, AttributeError):
        what = f"HTTP 200, but no `choices[0].message.content`: {told(body)}"
        return Fault("no completion", what, Verdict.LATER)
    if finish == "content_filter":
        return Fault("content filter", "the server's filter stopped the answer", Verdict.REQUEST)
    if content is None and not aloud:
        refusal = message.get("refusal")
        what = f"the model refused: {refusal}" if refusal else f"`choices[0].message.content` is no text: {told(body)}"
        return Fault("refusal" if refusal else "no content", what, Verdict.REQUEST if refusal else Verdict.LATER)
    text, thought = split_thought(content or "")
    return Answer(text, aloud or thought, counts[0], counts[1], finish)


def _said(value: Any) -> str | None:
    """A text, or one in parts, as some servers send it; None for anything else."""
    if isinstance(value, list):
        parts = [part.get("text") for part in value if isinstance(part, dict)]
        value = "".join(part for part in parts if isinstance(part, str)) or None
    return value if isinstance(value, str) else None


def _count(usage: Any, name: str) -> int:
    """A number of tokens; −1 where the server gives none."""
    value = usage.get(name) if isinstance(usage, dict) else None
    return value if isinstance(value, int) and value >= 0 else -1


def split_thought(content: str) -> tuple[str, str]:
    """What a model says, and what it thought aloud before in `<think>` tags (the first may be in the prompt)."""
    if _CLOSE in content:
        thought, _, text = content.partition(_CLOSE)
        return text.strip(), thought.strip().removeprefix(_OPEN).strip()
    bare = content.lstrip()
    if bare.startswith(_OPEN):  # cut off before it came to speak
        return "", bare.removeprefix(_OPEN).strip()
    return content, ""
