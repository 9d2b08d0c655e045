"""Web pages: what a reader came for, without navigation, scripts, headers and footers."""

import re
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from core import lazy
from core.formats.documents.found import Content, bad
from core.formats.rows import BOM

_LEFT_OUT = ("script", "style", "template", "noscript", "nav", "aside", "form", "button", "svg", "iframe", "title")
_ROLES = {"navigation", "banner", "contentinfo", "search", "complementary"}
_FRAMES = ("header", "footer")
"""Left out where they frame the page; inside an article they are its own."""
_BLOCKS = frozenset((
    "address", "article", "blockquote", "caption", "dd", "div", "dl", "dt", "figcaption", "figure", "footer", "h1",
    "h2", "h3", "h4", "h5", "h6", "header", "hr", "li", "main", "ol", "p", "pre", "section", "table", "tr", "ul",
))  # fmt: skip
_CONTENT = ("article", "main")
_RUN = re.compile(r"\s+")
_SPACES = re.compile(r"[^\S\n]+")
_END = "\n"


def read(path: Path) -> Content:
    """The page in a file; its title is that of <title>, else its first <h1>, which then leaves the text.

    Raises:
        BadRow: its bytes are no text in the encoding that it declares, or in UTF-8 where it declares none.
        Missing: the package that parses HTML is not installed.
    """
    markup = _decoded(path)
    refused = lazy.require("bs4", extra="documents").exceptions.ParserRejectedMarkup
    try:
        return page(markup)
    except refused as error:
        raise bad(path, f"it is no readable HTML: {error}") from None


def page(markup: str) -> Content:
    """The page in a text of HTML."""
    soup = _parsed(markup)
    titles = [" ".join(found.get_text().split()) for found in soup.find_all("title", limit=1)]
    title, heading = titles[0] if titles else "", None
    if not title and (heading := next(filter(_shown, soup.find_all("h1")), None)):
        title = " ".join("".join(_pieces(heading)).split())
    return Content(_text(soup, heading), title)


def words(markup: str) -> str:
    """The text in a piece of HTML, headings with it."""
    return _text(_parsed(markup))


def _parsed(markup: str) -> Any:
    bs4 = lazy.require("bs4", extra="documents")
    with warnings.catch_warnings():
        # It warns of XHTML and of texts that look like an address: both are read right.
        for kind in (bs4.XMLParsedAsHTMLWarning, bs4.MarkupResemblesLocatorWarning):
            warnings.simplefilter("ignore", kind)
        return bs4.BeautifulSoup(markup, "html.parser")


def _shown(tag: Any) -> bool:
    return not any(map(_left_out, (tag, *tag.parents)))


def _left_out(tag: Any) -> bool:
    if tag.name in _FRAMES:
        return not tag.find_parent(_CONTENT)
    return tag.name in _LEFT_OUT or tag.get("role") in _ROLES or tag.has_attr("hidden")


def _text(soup: Any, without: Any = None) -> str:
    """The text as a browser breaks it: blocks on lines of their own, cells of a row parted by blanks."""
    lines = (_SPACES.sub(" ", line).strip() for line in "".join(_pieces(soup, without)).split(_END))
    return _END.join(filter(None, lines))


def _pieces(root: Any, without: Any = None) -> Iterator[str]:
    """The texts of a tree in their order, with what parts them.

    The tree stays as it is: each change of it would look through all the neighbours of a tag, and pages have many.
    """
    owed: list[tuple[Any, bool]] = [(root, False)]
    while owed:
        node, as_it_stands = owed.pop()
        match type(node).__name__:
            case "str":
                yield node
            case "NavigableString":
                yield str(node) if as_it_stands else _RUN.sub(" ", node)
            case "Tag" | "BeautifulSoup" if node is not without and not _left_out(node):
                before, after = _around(node.name)
                yield before
                owed.append((after, True))
                owed += [(child, as_it_stands or node.name == "pre") for child in reversed(node.contents)]


def _around(name: str) -> tuple[str, str]:
    """What parts a tag from what stands before it, and from what follows."""
    if name in _BLOCKS:
        return _END, _END
    return "", {"br": _END, "td": " ", "th": " "}.get(name, "")


def _decoded(path: Path) -> str:
    data = path.read_bytes()
    detector = lazy.require("bs4.dammit", extra="documents").EncodingDetector
    declared = "utf-8" if data.startswith(BOM) else detector.find_declared_encoding(data, is_html=True)
    # Browsers read GB 2312 as its superset too; many pages that declare it are GBK.
    encoding = {"gb2312": "gb18030", "gbk": "gb18030"}.get((declared or "utf-8").lower(), declared or "utf-8")
    try:
        return data.removeprefix(BOM).decode(encoding)
    except UnicodeDecodeError as error:
        what = f"not {encoding}, which it {'declares' if declared else 'must be when it declares nothing'}"
        hint = 'write its encoding into its head: <meta charset="…">'
        raise bad(path, f"{what}: byte {error.start + 1}", reason="not UTF-8", hint=hint) from None
    except (LookupError, ValueError):
        raise bad(path, f"it declares an encoding that nobody knows: {encoding!r}") from None
