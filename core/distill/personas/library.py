"""A file of personas, read and filtered.

    {"persona": "A nurse who …"}        JSON
    {'persona': 'A nurse who isn\'t …'}     as Python writes a dict

A line is read as the one or as the other by a parser; exchanging quotes would break every apostrophe.
"""

import ast
import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from core.errors import DataError
from core.formats.fields import find_text, string
from core.formats.rows import BadRow, OnBad, Row, lines, not_an_object, text_of

FIELDS = ("persona", "input persona")
"""Where a description may stand: in the library's files of personas, and in its files of what they were used for."""


@dataclass(frozen=True, slots=True)
class Persona:
    """Who might ask."""

    id: str
    """`p` and the number of its line."""
    text: str
    original: str = ""
    """What it was translated from; empty: it was not."""


def read(path: Path, on_bad: OnBad) -> Iterator[Persona]:
    """The personas of a file, in its order; a run of white space becomes a blank.

    Raises:
        DataError: no readable file of lines, or no line in it.
    """
    for where, line in lines(path):
        try:
            found = _persona(where, line)
        except BadRow as bad:
            on_bad(bad)
            continue
        yield found


def holding(keywords: Iterable[str]) -> Callable[[Persona], bool]:
    """Whether a persona holds one of `keywords`, in any case, also inside a word; all do when there is none."""
    wanted = [keyword.casefold() for keyword in keywords]

    def holds(persona: Persona) -> bool:
        text = persona.text.casefold()
        return not wanted or any(keyword in text for keyword in wanted)

    return holds


def write(path: Path, personas: Iterable[Persona]) -> None:
    """One JSON object a line: `id`, `persona`, and `original` of a translated one."""
    with path.open("wb") as file:
        for persona in personas:
            row = {"id": persona.id, "persona": persona.text}
            if persona.original:
                row["original"] = persona.original
            file.write(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE))


def none_left(path: Path, num_read: int, keywords: Iterable[str]) -> DataError:
    """Why a library is empty after the filter."""
    wanted = ", ".join(f"`{keyword}`" for keyword in keywords)
    what = f"none of the {num_read:,} personas holds {wanted}" if wanted and num_read else "there is no persona"
    return DataError(what, where=str(path), hint="other `keywords`, or none to take all")


def _persona(where: str, line: bytes) -> Persona:
    row = Row(where, _object(where, line))
    text = " ".join(string(row, find_text(row, FIELDS)).split())
    if not text:
        raise BadRow("missing text", "the persona is empty", where=where, row=row.fields)
    return Persona(f"p{where.rpartition(':')[2]}", text)


def _object(where: str, line: bytes) -> dict[str, Any]:
    """The object of a line.

    Raises:
        BadRow: it is neither JSON nor a Python dict, or something else than an object.
    """
    try:
        value = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        value = _literal(where, text_of(line, where), error)
    if not isinstance(value, dict):
        raise not_an_object(where, value)
    return value


def _literal(where: str, text: str, error: orjson.JSONDecodeError) -> Any:
    try:
        with warnings.catch_warnings():
            # `\d` in a text is taken as it stands; the warning would name no line.
            warnings.simplefilter("ignore")
            value = ast.literal_eval(text.strip())
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        what = f"neither JSON ({error.msg}, column {error.colno}) nor a Python dict"
        raise BadRow("broken JSON", what, where=where, row=text) from None
    try:  # sets, bytes, keys that are no text, half a character: no JSON holds them
        return orjson.loads(orjson.dumps(value))
    except TypeError as told:
        raise BadRow("not an object", f"a Python value that JSON cannot hold: {told}", where=where, row=text) from None
