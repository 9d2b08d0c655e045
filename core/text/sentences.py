"""Where sentences end. Standard library only."""

import re
from itertools import pairwise

# Chinese ends stand alone. A full stop ends a sentence before white space and no small letter: 3.14, e.g. this.
_END = re.compile(r"""(?:[。！？；…!?]+[”’」』）》"')\]]*|\.[”’"')\]]*(?=\s+[^a-z\s]|\s*$)|\n)\s*""")


def sentences(text: str) -> list[str]:
    """The sentences with the white space behind them; together they are the whole text."""
    ends = [0, *(match.end() for match in _END.finditer(text)), len(text)]
    return [text[start:end] for start, end in pairwise(ends) if start < end]
