"""What is asked of a language model, and what it answers."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import orjson

from core.llm.checkpoint import identity
from core.llm.spec import Llm, Served


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation."""

    role: str
    """`system`, `user` or `assistant`."""
    content: str


@dataclass(frozen=True, slots=True)
class Request:
    """One question; two equal ones under the same model are the same answer, paid once."""

    messages: tuple[Message, ...]
    schema: Mapping[str, Any] | None = None
    """JSON schema of the answer, for servers that can hold a model to it: the messages must say the same in words.
    None: any text will do."""
    attempt: int = 0
    """0 for the first; a higher one asks for another answer to the same messages."""

    def digest(self, llm: Llm) -> str:
        """SHA-256, hexadecimal, of all that decides the answer: not of the address, the key or the concurrency."""
        model = llm.server.model
        decides = {
            "model": identity(model) if isinstance(llm.server, Served) else model,
            "temperature": llm.temperature,
            "top_p": llm.top_p,
            "max_tokens": llm.max_tokens,
            "thinking": llm.thinking,
            "response_format": llm.response_format,
            "messages": [[message.role, message.content] for message in self.messages],
            "schema": self.schema,
            "attempt": self.attempt,
        }
        return hashlib.sha256(orjson.dumps(decides, option=orjson.OPT_SORT_KEYS)).hexdigest()


@dataclass(frozen=True, slots=True)
class Answer:
    """What the model said, and what it took."""

    text: str
    reasoning: str
    """What it thought aloud before; empty: nothing, or the server keeps it to itself."""
    prompt_tokens: int
    completion_tokens: int
    finish_reason: str
    """`stop`, or `length` when `max_tokens` cut it off; empty: the server does not say."""
    from_journal: bool = field(default=False, compare=False)
    """Whether it had been answered before and nothing was sent."""

    def remembered(self) -> "Answer":
        """The same, as it comes out of a journal."""
        return replace(self, from_journal=True)
