"""What is asked of the server and what it answers, in OpenAI's shapes."""

import time
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Self
from uuid import uuid4

import orjson
from jinja2.exceptions import TemplateError
from pydantic import AliasChoices, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from core.llm.local.generate import Completion, Prompt
from core.llm.local.loading import Loaded
from core.llm.local.sampling import Sampling

MAX_ANSWERS = 64
"""Answers of one request."""

NOT_DONE: dict[str, tuple[object, ...]] = {
    "stream": (False,),
    "response_format": ({"type": "text"},),
    "tools": ([],),
    "tool_choice": ("none", "auto"),
    "functions": ([],),
    "logprobs": (False,),
    "logit_bias": ({},),
    "presence_penalty": (0,),
    "frequency_penalty": (0,),
    "repetition_penalty": (1,),
    "min_p": (0,),
}
"""Fields that this server does nothing for, and values of theirs that ask for nothing. Others' fields, unknown here,
are left aside."""


class Refused(Exception):
    """A request that gets no answer: HTTP status, a sentence, OpenAI's word for it, the field at fault, headers."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        code: str | None = None,
        field: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status, self.message, self.code, self.field, self.headers = status, message, code, field, headers or {}

    def body(self) -> bytes:
        """The sentence as OpenAI's clients read it."""
        kind = "server_error" if self.status >= 500 else "invalid_request_error"
        fault = {"message": self.message, "type": kind, "param": self.field, "code": self.code}
        return orjson.dumps({"error": fault})


def _text(content: Any) -> Any:
    """The text of a message given in parts, as one."""
    if isinstance(content, list) and all(isinstance(part, dict) and part.get("type") == "text" for part in content):
        return "".join(str(part.get("text", "")) for part in content)
    return content


class Turn(BaseModel):
    """A message of the conversation."""

    model_config = ConfigDict(strict=True, extra="ignore", frozen=True)
    role: str
    content: Annotated[str, BeforeValidator(_text)]


class Wish(BaseModel):
    """The body of `POST /v1/chat/completions`."""

    model_config = ConfigDict(strict=True, extra="ignore", frozen=True)
    messages: Annotated[list[Turn], Field(min_length=1)]
    model: str | None = None
    """Name that the server answers under. null: the one model that it has."""
    max_tokens: Annotated[int, Field(ge=1)] | None = Field(
        default=None, validation_alias=AliasChoices("max_tokens", "max_completion_tokens")
    )
    """Tokens of an answer at most. null: what the model's context leaves."""
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    """null: as the model's generation_config.json says, else 1; likewise the next two."""
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    top_k: Annotated[int, Field(ge=-1)] | None = None
    """0 and -1: all."""
    n: Annotated[int, Field(ge=1, le=MAX_ANSWERS)] = 1
    seed: int | None = None
    stop: Annotated[list[str], BeforeValidator(lambda stop: [stop] if isinstance(stop, str) else stop)] = []
    add_generation_prompt: bool = True
    """Whether a turn of the assistant is begun after the messages."""
    continue_final_message: bool = False
    """Whether the last message is written on, instead of a new one; as vLLM and SGLang."""
    enable_thinking: bool | None = None
    chat_template_kwargs: dict[str, Any] = {}
    """Further variables of the chat template."""

    @model_validator(mode="before")
    @classmethod
    def _asks_for_nothing_else(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        given = {name: value for name, value in data.items() if value is not None}
        for name, neutral in NOT_DONE.items():
            if name in given and given[name] not in neutral:
                raise ValueError(f"unsupported: this server knows no `{name}`")
        return given

    @model_validator(mode="after")
    def _one_way_on(self) -> Self:
        if self.continue_final_message and self.add_generation_prompt:
            raise ValueError("`continue_final_message` needs `add_generation_prompt: false`")
        return self


def read(body: bytes) -> Wish:
    """What a request's body asks.

    Raises:
        Refused: 400 when it asks nothing valid. Never quotes a message.
    """
    try:
        return Wish.model_validate(orjson.loads(body))
    except orjson.JSONDecodeError as error:
        raise Refused(400, f"the body is not JSON: {error}") from None
    except ValidationError as error:
        fault, *_ = error.errors(include_url=False, include_input=False)
        place = ".".join(map(str, fault["loc"]))
        message = fault["msg"].removeprefix("Value error, ")
        raise Refused(400, f"`{place}`: {message}" if place else message, field=place or None) from None


def prompts(wish: Wish, loaded: Loaded) -> list[Prompt]:
    """One prompt for each answer that is wished for.

    Raises:
        Refused: the chat template does not take the messages, or they leave no room for an answer.
    """
    tokens = tuple(loaded.tokenizer(rendered(wish, loaded.tokenizer), add_special_tokens=False)["input_ids"])
    most = wish.max_tokens or max(1, loaded.max_tokens - len(tokens))
    if len(tokens) + most > loaded.max_tokens:
        told = f"{len(tokens)} in the messages, {most} in the completion"
        raise Refused(
            400,
            f"this model's maximum context length is {loaded.max_tokens} tokens, you asked for {len(tokens) + most} "
            f"({told}): reduce the length of either",
            code="context_length_exceeded",
            field="messages",
        )
    seeds = [None if wish.seed is None else (wish.seed + number) % (1 << 63) for number in range(wish.n)]
    stop = tuple(text for text in wish.stop if text)
    return [Prompt(tokens, most, _sampling(wish, loaded, seed), stop) for seed in seeds]


def rendered(wish: Wish, tokenizer: Any) -> str:
    """The conversation as the model reads it."""
    thinking = {} if wish.enable_thinking is None else {"enable_thinking": wish.enable_thinking}
    further = thinking | wish.chat_template_kwargs
    ours = {
        "tokenize": False,
        "add_generation_prompt": wish.add_generation_prompt,
        "continue_final_message": wish.continue_final_message,
    }
    if clash := further.keys() & {*ours, "conversation", "chat_template", "return_tensors", "return_dict"}:
        raise Refused(400, f"`chat_template_kwargs` may not hold `{min(clash)}`", field="chat_template_kwargs")
    try:
        return str(tokenizer.apply_chat_template([turn.model_dump() for turn in wish.messages], **ours, **further))
    except (TemplateError, ValueError, TypeError) as error:
        message = f"the chat template does not take the messages: {' '.join(str(error).split())[:200]}"
        raise Refused(400, message, field="messages") from None


def _sampling(wish: Wish, loaded: Loaded, seed: int | None) -> Sampling:
    own = loaded.model.generation_config
    temperature, top_p, top_k = (
        next(value for value in (wished, getattr(own, name, None), default) if value is not None)
        for wished, name, default in (
            (wish.temperature, "temperature", 1.0),
            (wish.top_p, "top_p", 1.0),
            (wish.top_k, "top_k", 0),
        )
    )
    return Sampling(float(temperature), float(top_p), max(0, int(top_k)), seed)


def answer(wish: Wish, asked: Sequence[Prompt], done: Sequence[Completion], model: str) -> bytes:
    """The answers as JSON."""
    choices = [
        {
            "index": number,
            "message": {"role": "assistant", "content": each.text},
            "logprobs": None,
            "finish_reason": each.finish_reason,
        }
        for number, each in enumerate(done)
    ]
    read_, written = len(asked[0].tokens), sum(len(each.tokens) for each in done)
    usage = {"prompt_tokens": read_, "completion_tokens": written, "total_tokens": read_ + written}
    head = {"id": f"chatcmpl-{uuid4().hex}", "object": "chat.completion", "created": int(time.time())}
    return orjson.dumps({**head, "model": wish.model or model, "choices": choices, "usage": usage})


def models(name: str, created: int, max_tokens: int) -> bytes:
    """The answer of `GET /v1/models`; `created` in seconds since 1970."""
    model = {"id": name, "object": "model", "created": created, "owned_by": "dr", "max_model_len": max_tokens}
    return orjson.dumps({"object": "list", "data": [model]})
