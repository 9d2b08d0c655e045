"""What a failed try means: again later, again in other words, never for this request, or never for any."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

import aiohttp
import orjson

from core.retry import asked_pause

EXCERPT = 300
"""Characters of a server's message that an error quotes."""
LOST = "lost connection"
"""Kind of a try whose connection broke off before the answer was whole."""


class Verdict(Enum):
    """Whom a fault is about."""

    LATER = auto()
    """It may pass."""
    BUSY = auto()
    """The server has too much to do; it may pass."""
    AWAY = auto()
    """No server is there; it may come back."""
    REQUEST = auto()
    """This request, however often it is sent."""
    WORDS = auto()
    """This request, or the fields around it."""
    REWORDED = auto()
    """A field around it that will be left out: it is sent again at once."""
    MODEL = auto()
    """The server does not know the model, or the path."""
    KEY = auto()
    """The server does not let us in, or the account is empty."""
    ADDRESS = auto()
    """What answers there is no such server."""


@dataclass(frozen=True)
class Fault:
    """A try that gave no answer."""

    kind: str
    """In few words: `HTTP 500`, `time-out`, `context too long`."""
    what: str
    """What the server, or the network, said."""
    verdict: Verdict
    pause_seconds: float | None = None
    """How long the server asks us to wait."""


_TOO_LONG = ("context length", "context_length", "context window", "maximum context", "too long", "input length",
             "prompt length", "max_model_len", "reduce the length", "max_new_tokens", "model length")  # fmt: skip
_FILTER = ("content_filter", "content filter", "content management policy", "data_inspection", "datainspection",
           "inappropriate content", "敏感")  # fmt: skip
_EMPTY_ACCOUNT = ("insufficient_quota", "insufficient balance", "arrearage", "exceeded your current quota",
                  "in good standing")  # fmt: skip
_NO_MODEL = ("model_not_found", "model not exist", "model not found", "unknown model")


def of_response(status: int, headers: Mapping[str, str], body: bytes) -> Fault:
    """What an HTTP answer other than 200 means."""
    message = told(body)
    low = message.lower()
    pause = asked_pause(headers.get("Retry-After"))
    kind, verdict = f"HTTP {status}", _verdict(status, low)
    if verdict is Verdict.REQUEST:
        kind = "context too long" if status == 413 or _any(_TOO_LONG, low) else "content filter"
    return Fault(kind, message, verdict, pause)


def _verdict(status: int, low: str) -> Verdict:
    if status == 402 or (status in {400, 403, 429} and _any(_EMPTY_ACCOUNT, low)) or status in {401, 403}:
        return Verdict.KEY
    if status == 404 or (status in {400, 422} and _any(_NO_MODEL, low)):
        return Verdict.MODEL
    if status == 413 or (status in {400, 422} and _any((*_TOO_LONG, *_FILTER), low)):
        return Verdict.REQUEST
    if status in {400, 422}:
        return Verdict.WORDS
    if status in {429, 503, 529}:
        return Verdict.BUSY
    return Verdict.LATER if status in {408, 409, 425} or status >= 500 else Verdict.ADDRESS


def of_error(error: BaseException, timeout_seconds: float) -> Fault:
    """What an exception of the network means."""
    if isinstance(error, aiohttp.InvalidURL):
        return Fault("no address", str(error), Verdict.ADDRESS)
    if isinstance(error, aiohttp.ConnectionTimeoutError | aiohttp.ClientConnectorError):
        return Fault("no connection", str(error), Verdict.AWAY)
    if isinstance(error, asyncio.TimeoutError):
        return Fault("time-out", f"no answer in {timeout_seconds:g} s", Verdict.LATER)
    return Fault(LOST, str(error) or type(error).__name__, Verdict.LATER)


def told(body: bytes) -> str:
    """The message in an error's body, in the shapes that servers use; the body itself when it is in none."""
    try:
        value: Any = orjson.loads(body)
    except ValueError:
        value = None
    if isinstance(value, dict):
        inner = value.get("error", value)
        if isinstance(inner, dict):
            named = [inner.get(name) for name in ("message", "msg", "detail", "code", "type")]
            value = " ".join(part if isinstance(part, str) else _text(part) for part in named if part) or value
        else:
            value = inner
    text = value if isinstance(value, str) else _text(value) if value else body.decode(errors="replace")
    return " ".join(text.split())[:EXCERPT] or "(no message)"


def _text(value: object) -> str:
    return orjson.dumps(value).decode()


def _any(words: tuple[str, ...], low: str) -> bool:
    return any(word in low for word in words)
