"""Asking one service until there is an answer or the time is up. Threads share a client."""

import base64
import http.client
import json
import os
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeVar
from urllib.parse import urlencode, urlsplit

from core.errors import Missing, UsageError
from core.remote.faults import QuestionRefused, ServiceFailed, Unreadable
from core.remote.line import Line, Question
from core.remote.pace import Pace, pause

T = TypeVar("T")

Scheme = Literal["Bearer", "ApiKey", "Basic"]
"""How a key is shown in the header `Authorization`; for Basic it is `user:password`."""

AGAIN = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 529})
"""Answers after which another try may do better."""
AWAY = frozenset({429, 502, 503, 504, 529})
"""Answers in place of a service that is not there or takes no questions."""
LOCKED = frozenset({401, 402, 403, 404, 405})
"""Answers of a door that is closed, or of no such door: the service is not there for us."""

IN_A_ROW = 8
"""Questions given up one after the other, none answered between them, after which the service counts as gone."""

_EXCERPT = 300


@dataclass(frozen=True)
class Patience:
    """How long a question may take, and how often it is asked."""

    timeout_seconds: float
    """One try."""
    retries: int
    """Further tries."""
    give_up_seconds: float
    """All tries and pauses together."""
    per_minute: int | None = None
    """Requests of this process in a minute. None: any number."""


class Client:
    """Keeps connections alive; a service that is gone is told so at once to all who ask after."""

    def __init__(
        self,
        service: str,
        url: str,
        patience: Patience,
        *,
        key_env: tuple[str, ...] = (),
        scheme: Scheme = "Bearer",
        gone_seconds: float | None = None,
    ) -> None:
        """`gone_seconds`: how long a service that is gone is not asked again; None: for good.

        Raises:
            UsageError: `url` is no address.
            Missing: a key that no header can carry.
        """
        self.service, self.url, self._patience = service, url, patience
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            hint = "such as http://127.0.0.1:8080/retrieve"
            raise UsageError(f"the {service}'s address is none: {url!r}", hint=hint)
        self._line = Line(url, {"User-Agent": "dr", "Accept": "*/*"} | _authorization(key_env, scheme))
        self._pace = Pace(patience.per_minute)
        self._heard, self._in_a_row = 0.0, 0
        self._gone: ServiceFailed | None = None
        self._gone_seconds, self._gone_until = gone_seconds, 0.0
        self._ended = threading.Event()

    def post(self, body: Mapping[str, Any], read: Callable[[bytes], T], path: str = "") -> T:
        """What `read` makes of the answer to `body` as JSON; as `ask`."""

        def question() -> Question:
            payload = json.dumps(body, ensure_ascii=False).encode("utf-8", "replace")
            return Question(path=path, payload=payload, headers={"Content-Type": "application/json"})

        return self.ask(question, read)

    def form(self, fields: Mapping[str, Any], read: Callable[[bytes], T], path: str = "") -> T:
        """What `read` makes of the answer to the fields of a form; as `ask`. No field is seen in an address."""
        payload = urlencode(fields, errors="replace").encode()
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        return self.ask(lambda: Question(path=path, payload=payload, headers=headers), read)

    def get(self, fields: Mapping[str, Any], read: Callable[[bytes], T]) -> T:
        """What `read` makes of the answer to the fields as parameters of the address; as `ask`."""
        start = "&" if urlsplit(self.url).query else "?"
        path = start + urlencode(fields, errors="replace")
        return self.ask(lambda: Question("GET", path), read)

    def ask(self, question: Callable[[], Question], read: Callable[[bytes], T]) -> T:
        """What `read` makes of the answer; it raises `Unreadable` for an answer to be asked for again.

        Raises:
            ServiceFailed: no usable answer after all tries, or in all the time.
            ServiceRefused: the service does not take this question.
        """
        started, tried, last = time.monotonic(), 0, ""
        while tried <= self._patience.retries:
            self._wait(self._pace.turn())
            left = self._patience.give_up_seconds - (time.monotonic() - started)
            if left <= 0:
                break
            tried += 1
            asked = None
            try:
                # Anew for each try: `read` may have changed the question.
                status, after, answer = self._line.send(question(), min(self._patience.timeout_seconds, left))
                self._heard = self._heard if status in AWAY else time.monotonic()
                if status == http.HTTPStatus.OK:
                    return self._taken(read(answer))
                last, asked = f"HTTP {status}: {_told(answer)}", after
            except TimeoutError:
                last = f"no answer in {min(self._patience.timeout_seconds, left):.3g} s"
            except (OSError, http.client.HTTPException) as error:
                last = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
            except Unreadable as error:
                last = str(error)
            else:
                self._check(status, last, tried, time.monotonic() - started)
            seconds = pause(tried, asked)
            if time.monotonic() - started + seconds > self._patience.give_up_seconds:
                break
            if tried <= self._patience.retries:
                self._wait(seconds)
        raise self._given_up(last, tried, started)

    def end(self) -> None:
        """Let those that wait stop waiting: the first failure has decided."""
        self._ended.set()

    def begin(self) -> None:
        """Take questions again after `end`."""
        self._ended.clear()

    def close(self) -> None:
        """Close the connections that nobody uses."""
        self._line.close()

    def _taken(self, value: T) -> T:
        self._in_a_row = 0
        return value

    def _check(self, status: int, last: str, tried: int, seconds: float) -> None:
        if status in LOCKED:
            raise ServiceFailed(self.service, self.url, last, tried=tried, seconds=seconds, whole=True)
        if status not in AGAIN:
            hint = "the question does not fit the service: compare the recipe's fields with how it was started"
            raise QuestionRefused(f"the {self.service} refuses the question: {last}", where=self.url, hint=hint)

    def _given_up(self, last: str, tried: int, started: float) -> ServiceFailed:
        self._in_a_row += 1
        whole = self._heard < started or self._in_a_row >= IN_A_ROW
        last, seconds = last or "it is asked too often for its limit", time.monotonic() - started
        failed = ServiceFailed(self.service, self.url, last, tried=tried, seconds=seconds, whole=whole)
        if failed.whole:
            self._gone, self._gone_until = failed, time.monotonic() + (self._gone_seconds or 0)
        return failed

    def _wait(self, seconds: float) -> None:
        if self._gone and self._gone_seconds is not None and time.monotonic() >= self._gone_until:
            self._gone, self._in_a_row = None, 0
        if self._gone:
            raise self._gone
        if self._ended.wait(seconds) if seconds else self._ended.is_set():
            raise self._gone or ServiceFailed(self.service, self.url, "stopped", tried=0, seconds=0, whole=False)


def key(names: tuple[str, ...]) -> str | None:
    """The key that the first of these environment variables holds; None where none is set.

    Raises:
        Missing: it cannot be sent.
    """
    for name in names:
        if found := os.environ.get(name, "").strip():
            if not (found.isascii() and found.isprintable()):
                raise Missing(f"{name} holds characters that no header can carry", hint="copy the key once more")
            return found
    return None


def _authorization(names: tuple[str, ...], scheme: Scheme) -> dict[str, str]:
    shown = key(names)
    if shown and scheme == "Basic":
        shown = base64.b64encode(shown.encode()).decode()
    return {"Authorization": f"{scheme} {shown}"} if shown else {}


def _told(answer: bytes) -> str:
    """What an error's body says, shortened."""
    text = answer.decode("utf-8", "replace")
    try:
        value = json.loads(text)
    except ValueError:
        value = None
    if isinstance(value, dict):
        inner = value.get("error", value)
        told = inner.get("message") or inner.get("detail") if isinstance(inner, dict) else inner
        text = told if isinstance(told, str) else text
    return " ".join(text.split())[:_EXCERPT] or "(no message)"
