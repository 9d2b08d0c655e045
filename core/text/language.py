"""Which writing a text is in. Standard library only.

It looks at letters, not at words: it tells Chinese from English, not French from English.
"""

import re
from typing import Literal, TypeAlias

from core.text.normal import CJK

Language: TypeAlias = Literal["zh", "en", "other"]

LEAST_WORDS = 4
"""Fewer Latin words than this may be names and codes in a text of any language."""

_CHINESE = re.compile(f"[{CJK}]")
_LATIN = re.compile(r"[A-Za-z\u00c0-\u024f]+")
_OTHER = re.compile(rf"[^\W\d_A-Za-z\u00c0-\u024f{CJK}]+")


def language_of(text: str) -> Language | None:
    """The writing that most of `text` is in; None when it holds too little to tell.

    A Chinese character counts as much as a Latin word. Kana, Hangul, Cyrillic and the like are `other`, and Japanese
    is told from Chinese by a fifth of kana.
    """
    chinese, latin = len(_CHINESE.findall(text)), len(_LATIN.findall(text))
    other = sum(map(len, _OTHER.findall(text)))
    if other > max(chinese / 4, latin):
        return "other"
    if chinese >= latin:
        return "zh" if chinese else None
    return "en" if latin >= LEAST_WORDS else None
