"""Prompt templates: a folder of text files with `$placeholders`, shipped with `dr` or the user's own. A `$` is `$$`.

system.txt  choose.txt  write.txt  again.txt  character.txt            templates
question_types.txt  difficulties.txt  words.txt                        `name: what it says`, one a line
"""

import re
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path
from string import Template

from core import shipped
from core.distill.recipe import DIFFICULTIES, QUESTION_TYPES, folder_of
from core.errors import UsageError

PLACEHOLDERS: dict[str, frozenset[str]] = {
    "system": frozenset(),
    "choose": frozenset(
        {"characters", "question_types", "difficulties", "choose_character", "previous", "passage", "keys"}
    ),
    "write": frozenset(
        {
            "character",
            "question_type",
            "question_type_description",
            "difficulty",
            "difficulty_description",
            "previous",
            "passage",
        }
    ),
    "again": frozenset({"problem"}),
    "character": frozenset({"list"}),
}
"""What each template may hold."""

NEEDED = {"choose": {"passage", "keys"}, "write": {"passage"}, "again": {"problem"}, "character": {"list"}}
"""What it must hold: without the passage a model would write queries for nothing, and be paid."""

WORDS = ("choose_character", "choose_nobody", "asking", "previous")

_BLANKS = re.compile(r"\n{3,}")


@dataclass(frozen=True)
class Prompts:
    """The templates of one folder, checked."""

    templates: Mapping[str, Template]
    question_types: Mapping[str, str]
    """Name -> what it means, with how long such a query is."""
    difficulties: Mapping[str, str]
    """Name -> what it means."""
    words: Mapping[str, str]

    def render(self, name: str, **values: str) -> str:
        """A template filled in; empty values leave no gap behind."""
        return _BLANKS.sub("\n\n", self.templates[name].substitute(values)).strip()

    def previous(self, queries: Sequence[str]) -> str:
        """What is said of the queries that a document has already; empty when it has none."""
        return "\n".join([self.words["previous"], *(f"- {query}" for query in queries)]) + "\n" if queries else ""

    def asking(self, character: str) -> str:
        """What is said of who asks; empty for nobody."""
        return Template(self.words["asking"]).substitute(character=character) + "\n" if character else ""

    def candidates(self, characters: Sequence[str]) -> str:
        """The list to choose from; empty when there is none."""
        listed = "\n".join(f"- {' '.join(character.split())}" for character in characters)
        return self.render("character", list=listed) + "\n" if characters else ""


def load(name: str) -> Prompts:
    """The templates of this name, each checked for placeholders that nobody fills.

    Raises:
        UsageError: a file is absent, holds an unknown placeholder, or lacks a name.
    """
    folder = _folder(name)
    return Prompts(
        templates={
            template: _template(folder / f"{template}.txt", known, NEEDED.get(template, set()))
            for template, known in PLACEHOLDERS.items()
        },
        question_types=_named(folder / "question_types.txt", QUESTION_TYPES),
        difficulties=_named(folder / "difficulties.txt", DIFFICULTIES),
        words=_words(folder / "words.txt"),
    )


def load_solver(name: str) -> dict[str, Template]:
    """`system` and `solve`: how a worked answer is asked for.

    Raises:
        UsageError: as `load`.
    """
    folder, known = _folder(name), {"system": PLACEHOLDERS["system"], "solve": frozenset({"question", "context"})}
    needed = {"system": set[str](), "solve": {"question"}}
    return {name: _template(folder / f"{name}.txt", known[name], needed[name]) for name in known}


def described(names: Sequence[str], meanings: Mapping[str, str]) -> str:
    """`- name: meaning`, one a line."""
    return "\n".join(f"- {name}: {meanings[name]}" for name in names)


def _folder(name: str) -> Path:
    if (folder := folder_of(name)).is_dir():
        return folder
    there = ", ".join(f"`{path.name}`" for path in sorted((shipped.folder() / "distill" / "prompts").iterdir()))
    raise UsageError(f"there are no prompts `{name}`", hint=f"shipped are {there}; or name a folder of your own")


def _words(path: Path) -> dict[str, str]:
    words = _named(path, WORDS)
    _checked(Template(words["asking"]), path, frozenset({"character"}), {"character"})
    return words


def _template(path: Path, known: frozenset[str], needed: AbstractSet[str]) -> Template:
    return _checked(Template(_read(path)), path, known, needed)


def _checked(template: Template, path: Path, known: frozenset[str], needed: AbstractSet[str]) -> Template:
    """The template itself. Raises UsageError when it holds a placeholder that nobody fills, or lacks a needed one."""
    if not template.is_valid():
        raise UsageError("a `$` here is no placeholder", where=str(path), hint="write `$$` for the sign itself")
    if unknown := sorted(set(template.get_identifiers()) - known):
        there = ", ".join(f"${name}" for name in sorted(known)) or "none"
        raise UsageError(f"nobody fills `${unknown[0]}`", where=str(path), hint=f"this file may have {there}")
    if missing := sorted(needed - set(template.get_identifiers())):
        raise UsageError(f"there is no `${missing[0]}`", where=str(path), hint="the model would not be told of it")
    return template


def _named(path: Path, names: Sequence[str]) -> dict[str, str]:
    pairs = [line.partition(":") for line in _read(path).splitlines() if line.strip()]
    found = {name.strip(): meaning.strip() for name, _, meaning in pairs}
    if missing := [name for name in names if not found.get(name)]:
        raise UsageError(f"`{missing[0]}` has no line", where=str(path), hint="one `name: what it says` a line")
    return found


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"the prompt cannot be read: {error}", where=str(path)) from None
