"""How much of a query is copied from its document. Standard library only."""

import re
import unicodedata

_BETWEEN = re.compile(r"[\W_]+")


def bare(text: str) -> str:
    """The letters and digits of a text: NFKC, lower case, without white space and punctuation."""
    return _BETWEEN.sub("", unicodedata.normalize("NFKC", text).lower())


def copied(query: str, contents: str) -> float:
    """The longest span of the query that stands in `contents` too, as a share of the query; both are made `bare`.

    0 for a query without letters and digits. Every start is tried with one letter more than the longest span so far:
    at most twice as many searches as the query has letters, each as fast as the interpreter's own.
    """
    query, contents = bare(query), bare(contents)
    longest, start = 0, 0
    while start + longest < len(query):
        if query[start : start + longest + 1] in contents:
            longest += 1
        else:
            start += 1
    return longest / len(query) if query else 0.0
