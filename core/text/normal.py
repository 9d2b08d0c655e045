"""Normal forms of text, dates and numbers. Standard library only: rewards use them in another interpreter too.

`20190125`, `2019-01-25`, `2019年1月25日` and `二〇一九年一月二十五日` become the terms `20190125`, `201901` and `2019`,
so a question about a month finds a document that names a day.
"""

import re
import unicodedata

CJK = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003134f々〇"
"""Ranges of Chinese characters, for use inside a regular expression's brackets."""

_WIDE = str.maketrans("０１２３４５６７８９．－／", "0123456789.-/")
_DIGITS = str.maketrans("〇零一二三四五六七八九", "00123456789")
_TENS = re.compile(r"([一二三四五六七八九])?十([一二三四五六七八九])?")

# Each alternative has the groups year, month, day; a day may be missing. What stands around must not go on as a number.
_DATE = re.compile(
    r"(?<![0-9.])(?:"
    r"(?P<y1>(?:19|20)[0-9]{2})\s*年\s*(?P<m1>[0-9]{1,2})\s*月(?:份|\s*(?P<d1>[0-9]{1,2})\s*[日号])?"
    r"|(?P<y2>(?:19|20)[0-9]{2})(?P<s>[-/.])(?P<m2>[0-9]{1,2})(?P=s)(?P<d2>[0-9]{1,2})(?![0-9.]?[0-9])"
    r"|(?P<y3>(?:19|20)[0-9]{2})(?P<m3>[0-9]{2})(?P<d3>[0-9]{2})(?![0-9.]?[0-9])"
    r")"
)
_CHINESE_DATE = re.compile(
    r"[一二][〇零一二三四五六七八九]{3}年(?:[一二三四五六七八九十]{1,2}月(?:[一二三四五六七八九十]{1,3}[日号])?)?"
)
_THOUSANDS = re.compile(r"(?<![0-9.,])[0-9]{1,3}(?:,[0-9]{3})+(?!,?[0-9])")
_DECIMAL = re.compile(r"(?<![0-9.])[0-9]+\.[0-9]+(?!\.?[0-9])")
_DAYS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


def normalise(text: str) -> str:
    """`text` in NFKC and lower case, with dates and numbers in one form; dates become terms between blanks."""
    # Wide digits first and the wide comma last: between two numbers it parts them, it groups no thousands.
    text = text.translate(_WIDE)
    if "年" in text:
        text = _CHINESE_DATE.sub(_arabic, text)
    text = _THOUSANDS.sub(lambda found: found[0].replace(",", ""), text)
    text = _DATE.sub(_date_terms, text)
    text = _DECIMAL.sub(lambda found: found[0].rstrip("0").rstrip("."), text)
    return unicodedata.normalize("NFKC", text).lower()


def _date_terms(found: re.Match[str]) -> str:
    year = found["y1"] or found["y2"] or found["y3"]
    month = int(found["m1"] or found["m2"] or found["m3"])
    day = int(found["d1"] or found["d2"] or found["d3"] or 0)
    if not 1 <= month <= 12 or not 0 <= day <= _DAYS[month - 1] or (day == 0 and not found["y1"]):
        return found[0]
    days = f"{year}{month:02}{day:02} " if day else ""
    return f" {days}{year}{month:02} {year} "


def _arabic(found: re.Match[str]) -> str:
    """A date in Chinese numerals, in digits."""
    return _TENS.sub(lambda tens: (tens[1] or "一") + (tens[2] or "零"), found[0]).translate(_DIGITS)
