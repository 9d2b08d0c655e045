"""Tidy text: one normal form, nothing that cannot be seen, single blanks, no markup."""

import re
import unicodedata
from html.parser import HTMLParser

from core.data.recipe import Clean
from core.types import Document, Query

_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f]+")
_INVISIBLE = re.compile("[\u00ad\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufeff]+")
# Single blanks and single line ends are passed over: a substitution for each would be most of the work.
_UNTIDY = re.compile(r"[^\S \n]\s*| \s+|\n\s+")
_LINE_ENDS = frozenset("\n\r\x85\u2028\u2029")

_NOT_SHOWN = frozenset({"script", "style", "template", "noscript"})
_BLOCKS = frozenset(
    """address article aside br dd div dl dt figure footer form h1 h2 h3 h4 h5 h6 header hr li main nav ol p pre section
    table td th tr ul""".split()  # noqa: SIM905 - a list of words reads better than a list of quotes
)


def document(item: Document, how: Clean) -> Document:
    """The document with title (in one line) and text made tidy; metadata stays as it is."""
    title = text(item.title, how) if item.title else ""
    if how.white_space:
        title = title.replace("\n", " ")
    return Document(item.id, text(item.text, how), title, item.metadata)


def query(item: Query, how: Clean) -> Query:
    """The query with its text made tidy."""
    return Query(item.id, text(item.text, how), item.metadata)


def text(value: str, how: Clean) -> str:
    """`value` made tidy in the ways that `how` names; doing it twice changes nothing more, markup apart."""
    if how.html:
        value = without_markup(value)
    if how.control_characters:
        value = _CONTROL.sub("", value)
    if how.invisible_characters:
        value = _INVISIBLE.sub("", value)
    # After the invisible ones: a letter and its accent compose only when nothing stands between them.
    if how.unicode and not unicodedata.is_normalized(how.unicode, value):
        value = unicodedata.normalize(how.unicode, value)
    if how.white_space:
        value = _UNTIDY.sub(_one, value).strip()
    return value


def without_markup(value: str) -> str:
    """The text that a browser would show of `value`, block elements on lines of their own."""
    if "<" not in value and "&" not in value:
        return value
    reader = _Shown()
    reader.feed(value)
    reader.close()
    return "".join(reader.parts)


def _one(run: re.Match[str]) -> str:
    return " " if _LINE_ENDS.isdisjoint(run[0]) else "\n"


class _Shown(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self._hidden = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: ARG002
        self._hidden += tag in _NOT_SHOWN
        if tag in _BLOCKS:
            self.parts.append("\n")

    def handle_endtag(self, tag: str) -> None:
        self._hidden = max(0, self._hidden - (tag in _NOT_SHOWN))
        if tag in _BLOCKS:
            self.parts.append("\n")

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.parts.append(data)
