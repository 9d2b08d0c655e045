"""Questions whose answer is a number, as items: the ground truth is JSON text of number, scale and unit."""

import re
import unicodedata
from typing import Any, NamedTuple

import orjson

from core.data.rows.choice import CONTEXT, QUESTION, first_text
from core.data.rows.item import Item, LeftOut, tagged
from core.formats import values
from core.formats.fields import find_text
from core.formats.prompts import Prompts
from core.formats.rows import BadRow, Row

NAMES = ("question",)
"""What a template must have."""
MORE_NAMES = ("context",)
"""What it may have."""

ANSWER = ("answer", "label", "target")
EXPLANATION = ("explanation", "solution", "derivation", "analysis", "rationale")
MARK = "####"
"""What parts the working from the answer in GSM8K's own files."""

NO_NUMBER = LeftOut("the answer is no single number")
TWO_SCALES = LeftOut("the answer and `scale` name different scales")

_CURRENCY = r"US\$|HK\$|[$€£¥]"
_NUMBER = re.compile(
    rf"(?P<minus1>-)?\s*(?P<unit>{_CURRENCY})?\s*(?P<minus2>[-(])?\s*(?P<unit2>{_CURRENCY})?\s*"
    r"(?P<digits>[0-9]{1,3}(?:,[0-9]{3})+|[0-9]+)(?P<fraction>\.[0-9]+)?\s*\)?\s*(?P<rest>[^0-9]{0,20})"
)
_SCALES = {"%": "percent", "percent": "percent", "per cent": "percent", "thousand": "thousand"}
_SCALES |= {"million": "million", "mn": "million", "billion": "billion", "bn": "billion", "trillion": "trillion"}
_SCALES |= {scale: scale for scale in ("万亿", "亿", "千万", "百万", "万", "千")}


class Quantity(NamedTuple):
    """A number with what it counts."""

    number: float
    scale: str = ""
    """`percent`, `thousand`, `million`, `billion`, 万, 亿, …; empty: ones."""
    unit: str = ""
    """`$`, 元, `days`, …; empty: none, or not told."""

    def __str__(self) -> str:
        number = str(_plain(self.number))
        if re.fullmatch(_CURRENCY, self.unit):
            return _apart(f"{self.unit}{number}", self.scale)
        return _apart(_apart(number, self.scale), self.unit)


def item(row: Row, prompts: Prompts) -> Item | LeftOut:
    """The item of a row; left out when its answer is a text, several numbers, or a number of two scales.

    Raises:
        BadRow: it has no question or no answer.
    """
    question = values.query(row, find_text(row, QUESTION))
    answer, working = _answer(row)
    found = quantity(answer)
    if found is None:
        return NO_NUMBER
    told = Quantity(found.number, values.optional_text(row, "scale").strip(), values.optional_text(row, "unit").strip())
    if found.scale and told.scale and found.scale != _SCALES.get(told.scale.lower(), told.scale):
        return TWO_SCALES
    whole = Quantity(found.number, told.scale or found.scale, told.unit or found.unit)
    context = _context(row)
    return Item(
        where=row.where,
        question=question,
        prompt=prompts.fill(question=question, context=context),
        answer=tagged(working or first_text(row, EXPLANATION).partition(MARK)[0].strip(), str(whole)),
        truth=orjson.dumps({"number": _plain(whole.number), "scale": whole.scale, "unit": whole.unit}).decode(),
        kin=tuple(filter(None, (f"{context}\n{question}".strip(), context))),
    )


def quantity(value: Any) -> Quantity | None:
    """The one number in a JSON value: `12`, `"$(9.8) million"`, `["3.5%"]`, `"1,200万元"`; None when it is none.

    Parentheses around a number are a minus, as accounts write it.
    """
    if isinstance(value, list):
        return quantity(value[0]) if len(value) == 1 else None
    if isinstance(value, int | float) and not isinstance(value, bool):
        return Quantity(value)
    if not isinstance(value, str):
        return None
    found = _NUMBER.fullmatch(unicodedata.normalize("NFKC", value).replace("−", "-").strip())
    if not found:
        return None
    digits = found["digits"].replace(",", "") + (found["fraction"] or "")
    number = float(digits) if found["fraction"] else int(digits)
    rest = found["rest"].strip().lower()
    word = max((word for word in _SCALES if rest.startswith(word)), key=len, default="")
    unit = found["unit"] or found["unit2"] or rest.removeprefix(word).strip(" .。")
    minus = found["minus1"] or found["minus2"]
    return Quantity(-number if minus else number, _SCALES.get(word, ""), unit)


def _answer(row: Row) -> tuple[Any, str]:
    """The answer, and the working that stands before it in the same text."""
    name = find_text(row, ANSWER)
    value = row.fields[name]
    if value is None or value in ("", []):
        raise BadRow("bad answer", f"`{name}` is empty", where=row.where, row=row.fields)
    if isinstance(value, str) and MARK in value:
        working, _, answer = value.rpartition(MARK)
        return answer, working.strip()
    return value, ""


def _context(row: Row) -> str:
    """Context, table (a line a row) and paragraphs, one below the other."""
    parts = [first_text(row, CONTEXT)]
    if isinstance(row.fields.get("table"), str):
        parts.append(values.text(row, "table"))
    else:
        parts.append("\n".join(_cells(row, place, cells) for place, cells in enumerate(values.items(row, "table"))))
    parts.append("\n".join(values.texts(row, "paragraphs")))
    return "\n\n".join(part for part in parts if part.strip())


def _cells(row: Row, place: int, cells: Any) -> str:
    if not isinstance(cells, list):
        raise BadRow("bad text", f"`table[{place}]` is no list of cells", where=row.where, row=row.fields)
    return " | ".join("" if cell is None else str(cell).strip() for cell in cells)


def _plain(number: float) -> float:
    """A whole number as an integer."""
    return int(number) if number == int(number) else number


def _apart(left: str, right: str) -> str:
    """Both with a blank between them where the second is a word in letters."""
    return f"{left} {right}" if right[:1].isascii() and right else f"{left}{right}"
