"""verl's settings by dotted name, as the arguments that Hydra reads.

A misspelt key is an error as an argument, and silence in a file: so they are arguments, all of them.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from core.errors import RecipeError

Keys: TypeAlias = dict[str, Any]
"""Dotted name -> value. A leading `+` adds a name that verl's files do not have."""

# What Hydra reads as one word of text and nothing else: no number, no null, no list.
_WORD = re.compile(r"[A-Za-z_/][A-Za-z0-9_./@:-]*")
_NO_WORDS = {"true", "false", "null", "nan", "inf", "yes", "no", "on", "off"}


def merged(keys: Mapping[str, Any], overrides: Mapping[str, Any], ours: Mapping[str, str]) -> Keys:
    """`keys` with the user's in place of ours, the rest of them at the end.

    `ours`: names that are not the user's to change, and those below them -> what says it instead.

    Raises:
        RecipeError: an override changes one of them, or all that it is part of.
    """
    for name in overrides:
        _leave(name, ours)
    given = {name.lstrip("+"): (name, value) for name, value in overrides.items()}
    result: Keys = {}
    for name, value in keys.items():
        # A name that we add is still to be added, however the user wrote it.
        result[name] = given.pop(name.lstrip("+"), (name, value))[1]
    return result | dict(given.values())


def _leave(name: str, ours: Mapping[str, str]) -> None:
    plain = name.lstrip("+~")
    for own, instead in ours.items():
        if plain == own or plain.startswith(f"{own}.") or own.startswith(f"{plain}."):
            what = f"`trainer.overrides` sets `{name}`, and `{own}` is not to be changed there"
            raise RecipeError(what, hint=instead)


def rendered(keys: Mapping[str, Any]) -> tuple[str, ...]:
    """One argument for each key."""
    return tuple(f"{name}={value_of(value)}" for name, value in keys.items())


def value_of(value: Any) -> str:
    """A value in Hydra's grammar."""
    match value:
        case None:
            return "null"
        case bool():
            return str(value)
        case int() | float():
            return repr(value)
        case Mapping():
            return "{" + ",".join(f"{key}:{value_of(each)}" for key, each in value.items()) + "}"  # keys take no quotes
        case str():
            return _text(value)
        case Sequence():
            return "[" + ",".join(value_of(each) for each in value) + "]"
    return _text(str(value))  # a path


def _text(text: str) -> str:
    if _WORD.fullmatch(text) and text.lower() not in _NO_WORDS:
        return text
    # A backslash before a quote counts in Hydra's quoted texts, and nowhere else.
    escaped = re.sub(r"(\\*)('|$)", lambda found: found[1] * 2 + (f"\\{found[2]}" if found[2] else ""), text)
    return f"'{escaped}'"
