"""Numbers with scale and unit, as answers have them: `12.5%`, `$3.2 million`, `3.2亿元`, `(9.8)`."""

import math
import re
import unicodedata
from dataclasses import dataclass

SCALES = {
    **dict.fromkeys(("%", "percent", "per cent", "个百分点", "百分点"), 0.01),
    **dict.fromkeys(("thousand", "thousands", "k", "千"), 1e3),
    **dict.fromkeys(("million", "millions", "mn", "mm", "m", "百万"), 1e6),
    **dict.fromkeys(("billion", "billions", "bn", "b", "十亿"), 1e9),
    **dict.fromkeys(("trillion", "trillions", "tn", "万亿"), 1e12),
    "‰": 0.001,
    "万": 1e4,
    "十万": 1e5,
    "千万": 1e7,
    "亿": 1e8,
    "百亿": 1e10,
    "千亿": 1e11,
}
"""Word -> factor."""

UNITS = {
    **dict.fromkeys(("元", "人民币", "人民币元", "rmb", "cny", "yuan", "¥", "块"), "cny"),
    **dict.fromkeys(("$", "us$", "usd", "美元", "dollar", "dollars", "us dollars", "刀"), "usd"),
    **dict.fromkeys(("€", "eur", "euro", "euros", "欧元"), "eur"),
    **dict.fromkeys(("£", "gbp", "pound", "pounds", "英镑"), "gbp"),
    **dict.fromkeys(("hk$", "hkd", "港元", "港币"), "hkd"),
    **dict.fromkeys(("jpy", "yen", "日元"), "jpy"),
    **dict.fromkeys(("年", "year", "years"), "year"),
    **dict.fromkeys(("个月", "月", "month", "months"), "month"),
    **dict.fromkeys(("天", "日", "day", "days"), "day"),
}
"""Spelling -> one name; another unit is its own name."""

_NUMBER = re.compile(
    r"(?:约|大约|about|approximately|approx\.?|[~≈=])?\s*(?P<minus1>[-+])?\s*(?P<unit1>us\$|hk\$|[$€£¥])?\s*(?P<open>\()?\s*(?P<minus2>-)?\s*"
    r"(?P<unit>us\$|hk\$|[$€£¥]|rmb|cny|usd|人民币)?\s*(?P<minus3>-)?\s*"
    r"(?P<digits>[0-9]{1,3}(?:,[0-9]{3})+|[0-9]{1,300})(?P<fraction>\.[0-9]{1,300})?(?P<power>e[+-]?[0-9]{1,3})?"
    r"\s*(?P<close>\))?\s*(?P<rest>[^0-9]{0,24})"
)


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number with what it counts."""

    number: float
    scale: str = ""
    """A word of `SCALES`; empty: ones."""
    unit: str = ""
    """Its one name; empty: not told."""

    def __str__(self) -> str:
        return f"{self.number:g} {self.scale} {self.unit}".replace("  ", " ").strip()

    @classmethod
    def named(cls, number: float, scale: str, unit: str) -> "Quantity":
        """A quantity with scale and unit in any spelling; a scale that is no word of ours is part of the unit."""
        scale, unit = scale.strip().lower(), unit.strip().lower()
        if scale not in SCALES:
            scale, unit = "", unit or scale
        return cls(float(number), scale, UNITS.get(unit, unit))

    @property
    def value(self) -> float:
        """The number in ones."""
        return self.number * SCALES.get(self.scale, 1.0)


def quantity(text: str) -> Quantity | None:
    """The number that `text` consists of; None when it is none, or more than one."""
    text = unicodedata.normalize("NFKC", text).replace("−", "-").strip().lower().rstrip(".。")
    found = _NUMBER.fullmatch(text)
    if not found or bool(found["open"]) != bool(found["close"]):
        return None
    number = float(found["digits"].replace(",", "") + (found["fraction"] or "") + (found["power"] or ""))
    if not math.isfinite(number):
        return None
    rest = found["rest"].strip(" .。")
    scale = max((word for word in SCALES if _begins(rest, word)), key=len, default="")
    unit = found["unit1"] or found["unit"] or rest[len(scale) :].strip()
    negative = (found["minus1"] == "-") ^ bool(found["open"] or found["minus2"] or found["minus3"])
    return Quantity(-number if negative else number, scale, UNITS.get(unit, unit))


def equal(found: Quantity, true: Quantity, *, tolerance: float, scale_needed: bool) -> bool:
    """Whether both are the same amount, within `tolerance` of the true one; a unit that one lacks is no fault."""
    if found.unit and true.unit and found.unit != true.unit:
        return False
    same = math.isclose(found.value, true.value, rel_tol=0, abs_tol=tolerance * abs(true.value))
    bare = not scale_needed and not found.scale
    return same or (bare and math.isclose(found.number, true.number, rel_tol=0, abs_tol=tolerance * abs(true.number)))


def _begins(rest: str, word: str) -> bool:
    """Whether `rest` begins with the word, and not with a longer one."""
    after = rest[len(word) : len(word) + 1]
    return rest.startswith(word) and not (
        word[-1].isascii() and word[-1].isalpha() and after.isascii() and after.isalpha()
    )
