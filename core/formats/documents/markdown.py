"""Markdown (CommonMark with tables), perhaps with front matter in YAML."""

import re
from datetime import date, datetime
from pathlib import Path
from typing import Any

import yaml

from core import lazy
from core.formats.documents import web
from core.formats.documents.found import Content, bad, text_in

_FRONT = re.compile(r"\A---[ \t]*\r?\n(.*?\r?\n)??(?:---|\.\.\.)[ \t]*(?:\r?\n|\Z)", re.DOTALL)


def read(path: Path) -> Content:
    """The text in a file, without marks; front matter becomes metadata.

    The title is that of the front matter, else the first heading, which then leaves the text.

    Raises:
        BadRow: not UTF-8, or front matter that is no YAML mapping.
        Missing: the package that parses Markdown is not installed.
    """
    whole = text_in(path)
    front = _FRONT.match(whole)
    metadata = _metadata(front[1] or "", path) if front else {}
    parser = lazy.require("markdown_it", extra="documents").MarkdownIt("commonmark").enable("table")
    tokens = parser.parse(whole[front.end() :] if front else whole)
    title = str(metadata.pop("title", None) or "")
    if not title:
        title, tokens = _heading(tokens)
    markup = parser.renderer.render(tokens, parser.options, {})
    return Content(web.words(markup), title, metadata)


def _heading(tokens: list[Any]) -> tuple[str, list[Any]]:
    """The first heading as text, and the tokens without it."""
    for place, token in enumerate(tokens):
        if token.type == "heading_open":
            # open, inline, close
            words = "".join(_words(inner) for inner in tokens[place + 1].children or ())
            return " ".join(words.split()), tokens[:place] + tokens[place + 3 :]
    return "", tokens


def _words(token: Any) -> str:
    if token.type in {"softbreak", "hardbreak"}:
        return " "
    return str(token.content) if token.type in {"text", "code_inline", "image"} else ""


def _metadata(front: str, path: Path) -> dict[str, Any]:
    try:
        found = yaml.safe_load(front)
    except yaml.MarkedYAMLError as error:
        line = f"line {error.problem_mark.line + 2}: " if error.problem_mark else ""
        raise bad(path, f"its front matter is not valid YAML: {line}{error.problem or error.context}") from None
    except (yaml.YAMLError, ValueError) as error:  # 2024-13-45 looks like a date
        raise bad(path, f"its front matter is not valid YAML: {error}") from None
    if not isinstance(found, dict | None):
        raise bad(path, "its front matter is not a YAML mapping")
    return {str(name): _plain(value) for name, value in (found or {}).items()}


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(name): _plain(inner) for name, inner in value.items()}
    if isinstance(value, list | set):
        return [_plain(inner) for inner in value]
    return value.isoformat() if isinstance(value, date | datetime) else value
