"""What a text counts by: Chinese characters and words. Standard library only."""

import re

from core.text.normal import CJK

_UNIT = re.compile(rf"(?:[{CJK}]|[^\s{CJK}]+)\s*")


def units(text: str) -> list[str]:
    """The Chinese characters and words of a text, each with the white space behind it; leading white space is lost."""
    return _UNIT.findall(text)
