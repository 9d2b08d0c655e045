"""A failed validation as sentences: which field, where it stands, what was seen, what was meant."""

import difflib
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from core.errors import RecipeError
from core.recipe.source import Loc, Places

SHOWN = 5

WANTED = {
    "path_type": "a path",
    "string_type": "a text",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "tuple_type": "a list",
    "list_type": "a list",
    "dict_type": "a mapping of fields",
    "mapping_type": "a mapping of fields",
    "model_type": "a mapping of fields",
    "model_attributes_type": "a mapping of fields",
}
"""pydantic's kinds of faults whose own words speak of Python."""


def explain(error: ValidationError, model: type[BaseModel], places: Places) -> RecipeError:
    """The first fault with its place and hint; further ones, up to five, below it."""
    # A misspelt field is also a missing one: the misspelling is the fault to tell, and its hint the one to give.
    items = sorted(_telling(error.errors(include_url=False)), key=lambda item: item["type"] != "extra_forbidden")
    faults = [_fault(item, model, places) for item in items]
    what, where, hint = faults[0]
    more = [f"\n  also: {text} ({place})" for text, place, _ in faults[1:SHOWN]]
    if len(faults) > SHOWN:
        more.append(f"\n  and {len(faults) - SHOWN} more")
    return RecipeError(what + "".join(more), where=where, hint=hint)


def _fault(item: Any, model: type[BaseModel], places: Places) -> tuple[str, str, str | None]:
    loc = _as_written(item["loc"], places)
    name = ".".join(str(part) for part in loc) or "the recipe"
    place = next(places[loc[:n]] for n in range(len(loc), -1, -1) if loc[:n] in places)
    if item["type"] == "extra_forbidden":
        close = difflib.get_close_matches(str(loc[-1]), sorted(_fields_at(model, item["loc"])), n=1)
        return f"`{name}` is not a field here", place, f"did you mean `{close[0]}`?" if close else None
    if item["type"] == "missing":
        return f"`{name}` is required", place, None
    if item["type"] == "union_tag_invalid":
        return f"`{name}`: `type` is {item['ctx']['tag']!r}, it can be {item['ctx']['expected_tags']}", place, None
    if item["type"] == "union_tag_not_found":
        return f"`{name}` needs a `type`", place, None
    if wanted := WANTED.get(item["type"]):
        return f"`{name}`: {wanted} is needed, got {item['input']!r}", place, None
    message = item["msg"].removeprefix("Value error, ")
    if isinstance(item["input"], dict):  # a rule between fields: the message names them
        return f"`{name}`: {message}" if loc else message, place, None
    return f"`{name}`: {message[:1].lower()}{message[1:]}, got {item['input']!r}", place, None


def _telling(items: list[Any]) -> list[Any]:
    """Without what only follows from another fault: a list is also called too short when its items are wrong."""
    wrong = [item["loc"] for item in items]
    return [i for i in items if not any(len(loc) > len(i["loc"]) and loc[: len(i["loc"])] == i["loc"] for loc in wrong)]


def _as_written(loc: Loc, places: Places) -> Loc:
    """`loc` without the union members that pydantic names and the file does not."""
    out: Loc = ()
    for i, part in enumerate(loc):
        if (*out, part) in places or i == len(loc) - 1:
            out = (*out, part)
    return out


def _fields_at(model: type[BaseModel], loc: Loc) -> set[str]:
    """The fields that may stand beside the last part of `loc`, a place as pydantic names it."""
    models = [model]
    for part in loc[:-1]:
        fields = [m.model_fields[part] for m in models if part in m.model_fields]
        below = [inner for field in fields for inner in _models_in(field.annotation)]
        models = below or [m for m in models if part in _tags(m)] or models
    return {name for m in models for name in m.model_fields}


def _tags(model: type[BaseModel]) -> tuple[Any, ...]:
    """What the field `type` may hold: by this pydantic names the members of a tagged union."""
    field = model.model_fields.get("type")
    return get_args(field.annotation) if field else ()


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    """The models that an annotation mentions."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for inner in get_args(annotation) for model in _models_in(inner)]
