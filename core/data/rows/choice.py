"""Multiple choice as items: the options go into the prompt, the letter is the ground truth."""

import re
from collections.abc import Mapping
from string import ascii_uppercase
from typing import Any

from core.data.rows.item import Item, tagged
from core.formats import values
from core.formats.fields import find_text
from core.formats.prompts import Prompts
from core.formats.rows import BadRow, Row

NAMES = ("question", "options")
"""What a template must have."""
MORE_NAMES = ("context",)
"""What it may have."""

QUESTION = ("question", "query", "stem")
OPTIONS = ("choices", "options")
ANSWER = ("answer", "label", "answer_idx", "target")
EXPLANATION = ("explanation", "analysis", "rationale", "solution")
CONTEXT = ("context", "passage")

_BETWEEN = re.compile(r"[\s,，、;；/|.。()（）\[\]【】]+")
_LABELLED = re.compile(r"^\s*([A-Z])\s*[.．、:：)）]\s*(.+)$", re.DOTALL)


def item(row: Row, prompts: Prompts, first_index: int, *, boxed: bool = False) -> Item:
    """The item of a row; `boxed`: its answer holds the letters in a box.

    Raises:
        BadRow: it has no question, fewer than two options, or no answer among them.
    """
    question = values.query(row, find_text(row, QUESTION))
    options, keys = _options(row)
    letters = _letters(row, options, keys, first_index)
    context = first_text(row, CONTEXT)
    listed = "\n".join(f"{letter}. {text}" for letter, text in options.items())
    return Item(
        where=row.where,
        question=question,
        prompt=prompts.fill(question=question, options=listed, context=context),
        answer=tagged(first_text(row, EXPLANATION), f"\\boxed{{{letters}}}" if boxed else letters),
        truth=letters,
        kin=tuple(filter(None, (f"{context}\n{question}".strip(), context))),
    )


def first_text(row: Row, names: tuple[str, ...]) -> str:
    """The text in the first of `names` that holds one; empty where none does.

    Raises:
        BadRow: something else is there.
    """
    return next((text for name in names if (text := values.optional_text(row, name).strip())), "")


def _options(row: Row) -> tuple[dict[str, str], dict[str, str]]:
    """Letter -> text of the options in their order, and what else names them in the row -> letter."""
    name = next((name for name in OPTIONS if row.fields.get(name) is not None), None)
    pairs = _pairs(row, name) if name else _columns(row)
    if not 2 <= len(pairs) <= len(ascii_uppercase):
        raise _bad(row, f"{len(pairs)} options: `choices` (or `options`, or columns A, B, …) needs 2 to 26")
    own = [key.strip().upper() for key, _ in pairs]
    kept = all(key in set(ascii_uppercase) for key in own) and len(set(own)) == len(own)
    letters = own if kept else list(ascii_uppercase[: len(pairs)])
    texts = [text.strip() for _, text in pairs]
    if "" in texts:
        raise _bad(row, f"option {letters[texts.index('')]} is empty")
    keys = {} if kept else {key: letter for key, letter in zip(own, letters, strict=True) if key}
    return dict(zip(letters, texts, strict=True)), keys


def _pairs(row: Row, name: str) -> list[tuple[str, str]]:
    """Key and text of each option; the key is empty where the row has none."""
    match row.fields[name]:
        case {"text": list(texts), "label": list(labels)} if len(texts) == len(labels):
            found: list[Any] = list(zip(labels, texts, strict=True))
        case dict(options):
            found = [option for option in options.items() if option[1] is not None]
        case _:
            found = values.items(row, name)
    pairs = [_pair(option) for option in found]
    for place, pair in enumerate(pairs):
        if pair is None:
            raise _bad(row, f"`{name}[{place}]` is neither a text nor an object with `label` and `text`")
    return _unlabelled([pair for pair in pairs if pair])


def _pair(option: Any) -> tuple[str, str] | None:
    match option:
        case (str(key), str() | int() | float() as text):
            return key, str(text)
        case (
            {"label": str(key), "text": str(text)}
            | {"key": str(key), "text": str(text)}
            | {"key": str(key), "value": str(text)}
            | {"label": str(key), "content": str(text)}
        ):
            return key, text
        case str() | int() | float():
            return "", str(option)
    return None


def _unlabelled(pairs: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """`A. text` as key and text, where every option begins with the letter of its place."""
    found = [_LABELLED.match(text) for _, text in pairs]
    if all(match and match[1] == ascii_uppercase[place] for place, match in enumerate(found[:26])):
        return [(match[1], match[2]) for match in found if match]
    return pairs


def _columns(row: Row) -> list[tuple[str, str]]:
    """Columns A, B, C, … up to the first that is missing or blank."""
    pairs: list[tuple[str, str]] = []
    for letter in ascii_uppercase:
        value = row.fields.get(letter, row.fields.get(letter.lower()))
        if value is None or not str(value).strip():
            break
        pairs.append((letter, str(value)))
    return pairs


def _letters(row: Row, options: Mapping[str, str], keys: Mapping[str, str], first_index: int) -> str:
    """The right letters in alphabetical order, such as `B` or `ABD`."""
    name = find_text(row, ANSWER)
    value = row.fields[name]
    parts = value if isinstance(value, list) else [value]
    found = [letter for part in parts for letter in _named(part, options, keys, first_index)]
    if not found or len(set(found)) < len(found):
        what = f"`{name}` is {str(value)[:80]!r}: no letter, index or text of the options {', '.join(options)}"
        raise BadRow("bad answer", what, where=row.where, row=row.fields)
    return "".join(sorted(found))


def _named(part: Any, options: Mapping[str, str], keys: Mapping[str, str], first_index: int) -> list[str]:
    """The letters that one part of an answer names; empty when it names none, or a wrong one."""
    if isinstance(part, bool) or not isinstance(part, int | str):
        return []
    if isinstance(part, int):
        return _by_index(part - first_index, options)
    same = [letter for letter, text in options.items() if text == part.strip()]
    if len(same) == 1 and len(part.strip()) > 1:  # `BAD` is three letters, unless it is an option
        return same
    letters = list(_BETWEEN.sub("", part).upper())
    if letters and all(letter in options for letter in letters):
        return letters
    if part.strip().upper() in keys:
        return [keys[part.strip().upper()]]
    if len(same) == 1:
        return same
    return _by_index(int(part) - first_index, options) if part.strip().isdecimal() else []


def _by_index(index: int, options: Mapping[str, str]) -> list[str]:
    return [list(options)[index]] if 0 <= index < len(options) else []


def _bad(row: Row, what: str) -> BadRow:
    return BadRow("bad choice", what, where=row.where, row=row.fields)
