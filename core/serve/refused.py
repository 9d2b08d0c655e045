"""Requests that get no answer, and why, in one sentence."""

from typing import Any, Self, TypeVar

import orjson
from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

SHOWN = 3
"""Faults of a request that a refusal names."""

OPENAI_CODES = {(401, None): "invalid_api_key", (404, "model"): "model_not_found"}
"""OpenAI's words for a fault, by HTTP status and field."""


class Refused(Exception):
    """A request that gets no answer: HTTP status, a sentence, headers, and the field at fault where there is one."""

    def __init__(
        self, status: int, message: str, headers: dict[str, str] | None = None, *, field: str | None = None
    ) -> None:
        super().__init__(message)
        self.status, self.message, self.headers, self.field = status, message, headers or {}, field

    def body(self) -> bytes:
        """The sentence as JSON; without the keys of an answer, so that no client takes it for an empty one."""
        return orjson.dumps({"code": self.status, "message": self.message})


class OpenAIRefused(Refused):
    """A refusal as OpenAI's clients read it; they know an invalid field as 400."""

    @classmethod
    def of(cls, refused: Refused) -> Self:
        """The same refusal."""
        status = 400 if refused.status == 422 else refused.status
        return cls(status, refused.message, refused.headers, field=refused.field)

    def body(self) -> bytes:
        """The sentence under `error`."""
        kind = "server_error" if self.status >= 500 else "invalid_request_error"
        fault = {
            "message": self.message,
            "type": kind,
            "param": self.field,
            "code": OPENAI_CODES.get((self.status, self.field)),
        }
        return orjson.dumps({"error": fault})


class Body(BaseModel):
    """The body of a request. Fields that only other servers know are left aside."""

    model_config = ConfigDict(strict=True, extra="ignore", frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _null_is_not_given(cls, data: Any) -> Any:
        """So that a null under one name does not hide a value under its alias."""
        if not isinstance(data, dict):
            return data
        needed = {name for name, field in cls.model_fields.items() if field.is_required()}
        return {name: value for name, value in data.items() if value is not None or name in needed}


B = TypeVar("B", bound=Body)


def read(kind: type[B], body: bytes, example: str) -> B:
    """What a request's body asks.

    Raises:
        Refused: 400 when it is not JSON, 422 when it asks nothing valid. Never quotes a text.
    """
    try:
        return kind.model_validate(orjson.loads(body))
    except orjson.JSONDecodeError as error:
        raise Refused(400, f"the body is not JSON: {error}") from None
    except ValidationError as error:
        faults = error.errors(include_url=False, include_input=False)[:SHOWN]
        field = str(faults[0]["loc"][0]) if faults[0]["loc"] else None
        raise Refused(422, "; ".join(_sentence(fault, example) for fault in faults), field=field) from None


def _sentence(fault: Any, example: str) -> str:
    if fault["type"] == "value_error":  # our own words
        said = str(fault["ctx"]["error"])
    elif not fault["loc"]:
        return f"the body must be an object such as {example}"
    else:
        said = f"{fault['msg'][:1].lower()}{fault['msg'][1:]}"
    return f"`{'.'.join(str(part) for part in fault['loc'])}`: {said}" if fault["loc"] else said
