"""Asking a language model for a number, over the OpenAI protocol."""

import hashlib
import json
import os
import re
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from core.errors import Missing
from core.remote.client import Client, Patience
from core.remote.faults import ServiceFailed, Unreadable

ONLY_A_NUMBER = "Answer with one number from {lowest:g} to {highest:g} and nothing else."
"""Said after an answer that was none: at temperature 0 the same question gives the same prose."""

_THOUGHTS = re.compile(r"^.*</think>", re.DOTALL)
_GRADE = re.compile(
    r"(?:(?:final\s+)?(?:score|rating|grade)|评分|得分|分数|打分)?\s*(?:is|为|是)?\s*[:=]?\s*"
    r"(?P<number>-?[0-9]+(?:\.[0-9]+)?)\s*(?:/\s*(?P<of>[0-9]+)|分|points?)?\s*[.。]?",
    re.IGNORECASE,
)


class Judge:
    """A model that grades; the same question is asked once. Several threads may ask."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        self._config, server = config, config["server"]
        url = server["base_url"] or next(filter(None, map(os.environ.get, server["base_url_env"])), None)
        if not url:
            hint = f"set {' or '.join(server['base_url_env'])} (such as http://localhost:8000/v1), or `server.base_url`"
            raise Missing("nobody says where the judge is", hint=hint)
        address = url.strip().rstrip("/").removesuffix("/chat/completions") + "/chat/completions"
        patience = Patience(
            config["timeout_seconds"], config["retries"], config["give_up_seconds"], config["requests_per_minute"]
        )
        self.client = Client("judge", address, patience, key_env=tuple(server["api_key_env"]))
        self._pool = ThreadPoolExecutor(config["concurrency"], thread_name_prefix="judge")
        self._asked: dict[str, Future[float]] = {}
        self._lock = threading.Lock()
        self._cache = Path(config["cache"]) if config["cache"] else None
        self._known = _remembered(self._cache)

    def grade(self, questions: Sequence[str], *, may_fail: int = 0) -> list[float | ServiceFailed]:
        """A grade for each question, from 0 (the lowest) to 1; up to `may_fail` failures stand in their place.

        Raises:
            ServiceFailed: the judge is gone, or failed at more questions than it may.
            ServiceRefused: it does not take the question.
        """
        self.client.begin()
        futures = [self._future(question) for question in questions]
        try:
            grades: list[float | ServiceFailed] = []
            for future in futures:
                grades.append(self._result(future, may_fail))
                may_fail -= isinstance(grades[-1], ServiceFailed)
            return grades
        finally:
            if any(not future.done() for future in futures):  # one failed: nobody waits for the others
                self.client.end()
                for future in futures:
                    future.cancel()

    def close(self) -> None:
        """End the threads and close the connections."""
        self.client.end()
        self._pool.shutdown(cancel_futures=True)
        self.client.close()

    def _result(self, future: "Future[float]", may_fail: int) -> float | ServiceFailed:
        try:
            return future.result()
        except ServiceFailed as failed:
            if failed.whole or may_fail <= 0:
                raise
            return failed

    def _future(self, question: str) -> "Future[float]":
        digest = self._digest(question)
        with self._lock:
            future = self._asked.get(digest)
            if future is None or future.cancelled() or (future.done() and future.exception()):
                future = self._asked[digest] = self._pool.submit(self._grade, digest, question)
            return future

    def _grade(self, digest: str, question: str) -> float:
        if digest in self._known:
            return self._known[digest]
        lowest, highest = self._config["lowest"], self._config["highest"]
        body = self._body(question)

        def read(answer: bytes) -> float:
            text = _content(answer)
            number = grade(text, lowest, highest)
            if number is None:
                again = ONLY_A_NUMBER.format(lowest=lowest, highest=highest)
                body["messages"] = [*self._body(question)["messages"], _message("assistant", text or "…")]
                body["messages"].append(_message("user", again))
                raise Unreadable(f"no grade from {lowest:g} to {highest:g}: {' '.join(text.split())[:80]!r}")
            return float((number - lowest) / (highest - lowest))

        value = self.client.post(body, read)
        self._remember(digest, value)
        return value

    def _body(self, question: str) -> dict[str, Any]:
        config = self._config
        body: dict[str, Any] = {"model": config["server"]["model"], "messages": [_message("user", question)]}
        if config["system"]:
            body["messages"].insert(0, _message("system", config["system"]))
        body |= {"temperature": config["temperature"], "max_tokens": config["max_tokens"]}
        if config["thinking"] is not None:
            body["chat_template_kwargs"] = {"enable_thinking": config["thinking"]}
        return body

    def _digest(self, question: str) -> str:
        asked = [self._body(question), self._config["lowest"], self._config["highest"]]
        return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()

    def _remember(self, digest: str, value: float) -> None:
        if self._cache is None:
            return
        line = json.dumps({"digest": digest, "grade": value}).encode() + b"\n"
        # One write to a file opened for appending: several workers may share it.
        descriptor = os.open(self._cache, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            os.write(descriptor, line)
        finally:
            os.close(descriptor)


def grade(text: str, lowest: float, highest: float) -> float | None:
    """The number that an answer consists of, with a label or `/10` at most; None: prose, a word, or out of range."""
    text = _THOUGHTS.sub("", text).strip().strip("*`\"' ")
    if text.startswith("{"):
        try:
            value = json.loads(text)
        except ValueError:
            return None
        number = value.get("score", value.get("grade"))
        text = "" if isinstance(number, bool) else str(number)
    found = _GRADE.fullmatch(text.replace("：", ":").replace("／", "/").strip())
    if not found or (found["of"] and float(found["of"]) != highest):
        return None
    number = float(found["number"])
    return number if lowest <= number <= highest else None


def _message(role: str, content: str) -> dict[str, str]:
    return {"role": role, "content": content}


def _content(answer: bytes) -> str:
    try:
        content = json.loads(answer)["choices"][0]["message"]["content"]
    except (ValueError, LookupError, TypeError):
        raise Unreadable(f"no `choices[0].message.content`: {answer[:80].decode('utf-8', 'replace')!r}") from None
    if not isinstance(content, str):
        raise Unreadable(f"`choices[0].message.content` is {type(content).__name__}, not text")
    return content


def _remembered(cache: Path | None) -> dict[str, float]:
    if cache is None or not cache.exists():
        return {}
    known = {}
    for line in cache.read_bytes().splitlines():
        try:
            row = json.loads(line)
        except ValueError:  # torn by a kill
            continue
        known[str(row["digest"])] = float(row["grade"])
    return known
