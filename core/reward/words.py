"""Texts as they are compared: one spelling of characters, dates and numbers, no punctuation, no articles.

Chinese punctuation and full-width digits go as ASCII's do; a normaliser that knows ASCII only scores Chinese answers 0.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence

from core.text.normal import CJK, normalise

_ARTICLE = re.compile(r"\b(?:a|an|the)\b")
_KEPT = re.compile(r"(?<=[0-9])\.(?=[0-9])|(?<![\w])-(?=[0-9])|(?<=[0-9])%")
_JOINING = {".": "", "'": "", "’": "", '"': ""}
"""Marks inside words: `U.S.` is `US`; the others part words."""
_BETWEEN = re.compile(rf"(?<=[{CJK}])\s+|\s+(?=[{CJK}])")


def same_form(text: str) -> str:
    """The text in the form in which two are equal when they say the same words."""
    text = normalise(text)
    kept = {found.start() for found in _KEPT.finditer(text)}
    text = "".join(
        character if place in kept else _JOINING.get(character, " ") if _is_mark(character) else character
        for place, character in enumerate(text)
    )
    without = " ".join(_ARTICLE.sub(" ", text).split())  # the answer A is no article
    return _BETWEEN.sub("", without or " ".join(text.split()))


def _is_mark(character: str) -> bool:
    return unicodedata.category(character)[0] in "PS"


def tokens(text: str) -> list[str]:
    """Words, numbers, and single Chinese characters of `same_form`."""
    return [word for run in _runs(same_form(text)) for word in run]


def _runs(text: str) -> list[list[str]]:
    return [re.findall(rf"[{CJK}]|[^\s{CJK}]+", piece) for piece in text.split()]


def holds(passage: str, answer: str) -> bool:
    """Whether the passage contains the answer, both in `same_form`; a word is found as a whole word only.

    Both are `same_form` already.
    """
    if not answer:
        return False
    start = passage.find(answer)
    while start >= 0:
        end = start + len(answer)
        if not (_joined(passage, start) or _joined(passage, end)):
            return True
        start = passage.find(answer, start + 1)
    return False


def _joined(text: str, place: int) -> bool:
    """Whether the characters before and after `place` belong to one word or number."""
    before, after = text[place - 1 : place] if place else "", text[place : place + 1]
    return (
        bool(before and after) and not any(map(_is_cjk, (before, after))) and not (before.isspace() or after.isspace())
    )


def _is_cjk(character: str) -> bool:
    return bool(re.match(rf"[{CJK}]", character))


def f1(found: Sequence[str], true: Sequence[str]) -> float:
    """Harmonic mean of precision and recall over two bags of tokens; 0 when one is empty."""
    common = sum((Counter(found) & Counter(true)).values())
    return 2 * common / (len(found) + len(true)) if common else 0.0
