"""The body of a request in the words that one server takes: what it refuses is left out from then on."""

import logging
import re
from collections.abc import Callable
from typing import Any

from core.llm.chat import Request
from core.llm.spec import Llm

log = logging.getLogger(__name__)

FORMATS = ("json_schema", "json_object", "none")
THINKING = ("enable_thinking", "chat_template_kwargs")
"""DashScope takes the first in the body itself, vLLM and SGLang the second, for Qwen3's chat template."""

CONTINUE: dict[str, bool] = {"continue_final_message": True, "add_generation_prompt": False}
"""How vLLM and SGLang are told to write on where a last message of the assistant ends, not to begin a new one."""

_FORMAT = re.compile(
    r"response_format|json_schema|json_object|guided|structured|grammar|xgrammar|outlines", re.IGNORECASE
)


class Dialect:
    """How one server is spoken to. Starts with all that we would like to say."""

    def __init__(self, llm: Llm) -> None:
        self._llm = llm
        self._formats = list(FORMATS) if llm.response_format == "auto" else [llm.response_format]
        self._extras = [*THINKING, *CONTINUE]
        self._length = "max_tokens"
        self.version = 0
        """Grows with every field left out."""

    def body(self, request: Request) -> dict[str, Any]:
        """The JSON body for `request`."""
        llm = self._llm
        body: dict[str, Any] = {
            "model": llm.server.model,
            "messages": [{"role": message.role, "content": message.content} for message in request.messages],
            "temperature": llm.temperature,
            self._length: llm.max_tokens,
        }
        if llm.top_p is not None:
            body["top_p"] = llm.top_p
        if "enable_thinking" in self._extras:
            body["enable_thinking"] = llm.thinking
        if "chat_template_kwargs" in self._extras:
            body["chat_template_kwargs"] = {"enable_thinking": llm.thinking}
        if request.messages and request.messages[-1].role == "assistant":
            body |= {name: value for name, value in CONTINUE.items() if name in self._extras}
        if request.schema is not None and self._formats[0] == "json_schema":
            schema = {"name": "answer", "schema": request.schema, "strict": True}
            body["response_format"] = {"type": "json_schema", "json_schema": schema}
        elif request.schema is not None and self._formats[0] == "json_object":
            body["response_format"] = {"type": "json_object"}
        return body

    def adapt(self, message: str, body: dict[str, Any]) -> bool:
        """Whether something of `body` can be left out that a server's complaint (HTTP 400, 422) is about."""
        for is_named, leave_out in self._ways(message, body):
            if is_named:
                what = leave_out()
                self.version += 1
                log.warning("the server does not take %s; it is left out from here on: %s", what, message[:200])
                return True
        return False

    def _ways(self, message: str, body: dict[str, Any]) -> list[tuple[bool, Callable[[], str]]]:
        sent = [name for name in (*THINKING, *CONTINUE) if name in body]
        named = [name for name in sent if re.search(rf"\b{name}\b", message)]
        format_sent = "response_format" in body and len(self._formats) > 1
        other = re.search(r"\b(temperature|top_p|max_tokens|max_completion_tokens)\b", message)
        nameless = not other and bool(
            re.search(r"extra|unknown|unexpected|unrecogni[sz]ed|unsupported", message, re.IGNORECASE)
        )
        return [
            ("max_completion_tokens" in message and "max_tokens" in body, self._rename_length),
            (bool(named), lambda: self._drop(named)),
            (format_sent and bool(_FORMAT.search(message)), self._next_format),
            (nameless and bool(sent), lambda: self._drop(sent)),
            (nameless and format_sent, self._next_format),
        ]

    def _rename_length(self) -> str:
        self._length = "max_completion_tokens"
        return "`max_tokens` (but `max_completion_tokens`)"

    def _drop(self, names: list[str]) -> str:
        self._extras = [name for name in self._extras if name not in names]
        return ", ".join(f"`{name}`" for name in names)

    def _next_format(self) -> str:
        return f"`response_format: {self._formats.pop(0)}`"
