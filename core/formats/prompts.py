"""Prompt templates: text files with `$question` and other placeholders, that anybody can edit. A `$` is `$$`.

user.txt     the question; it may begin with a head, YAML between two lines of `---`, for whoever reads it
system.txt   what comes before it, where there is one

A line whose placeholders are all empty is left out, so one template serves questions with and without a context. What
is put in is never looked at again.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from string import Template

from core import digest
from core.errors import RecipeError
from core.formats.messages import SYSTEM, USER, Message

_HEAD = re.compile(r"---[ \t]*\n(.*?)^---[ \t]*$", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True)
class Prompts:
    """The templates of one folder."""

    system: str
    """Empty: no system message."""
    user: str
    head: str = ""
    """YAML that the template says of itself; no part of what the model is told. Empty: nothing."""

    @property
    def digest(self) -> str:
        """SHA-256 over both texts: a model trained with these prompts must be asked with them."""
        return digest.of_files({"system.txt": digest.of_text(self.system), "user.txt": digest.of_text(self.user)})

    def write(self, folder: Path) -> None:
        """Write both files as `read` reads them."""
        folder.mkdir()
        (folder / "system.txt").write_text(self.system, encoding="utf-8")
        head = f"---\n{self.head}\n---\n" if self.head else ""
        (folder / "user.txt").write_text(head + self.user, encoding="utf-8")

    def fill(self, **values: str) -> tuple[Message, ...]:
        """The messages of one question; `values` are for the placeholders that `read` was told."""
        user = Message(USER, _fill(self.user, values))
        return (Message(SYSTEM, _fill(self.system, values)), user) if self.system else (user,)


def read(place: Path, *, needed: tuple[str, ...], optional: tuple[str, ...] = ()) -> Prompts:
    """The templates in a folder: user.txt, which has every needed placeholder, and system.txt if there is one.

    A file stands for a folder with that user.txt alone.

    Raises:
        RecipeError: user.txt is not there, lacks a needed placeholder, or one is unknown.
    """
    user_file, system_file = (place, None) if place.is_file() else (place / "user.txt", place / "system.txt")
    if not user_file.is_file():
        hint = "name a shipped folder of prompts, or one of your own with user.txt"
        raise RecipeError("there is no prompt template user.txt", where=str(place), hint=hint)
    head, user = _parted(_text(user_file))
    prompts = Prompts(_text(system_file) if system_file else "", user, head)
    known = ", ".join(f"${name}" for name in (*needed, *optional))
    for file, text in ((user_file, prompts.user), (system_file, prompts.system)):
        template = Template(text)
        if not template.is_valid():
            hint = "write a dollar sign as `$$`"
            raise RecipeError("the template has a `$` before something else than a name", where=str(file), hint=hint)
        if unknown := set(template.get_identifiers()).difference(needed, optional):
            what = f"the template has ${min(unknown)}, which nothing fills"
            raise RecipeError(what, where=str(file), hint=f"there are {known}")
    if missing := set(needed).difference(Template(prompts.user).get_identifiers()):
        raise RecipeError(f"the template lacks ${min(missing)}", where=str(user_file))
    return prompts


def _parted(text: str) -> tuple[str, str]:
    """Head and template."""
    found = _HEAD.match(text)
    return (found[1].strip(), text[found.end() :].strip()) if found else ("", text)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig").strip() if path.exists() else ""
    except (OSError, UnicodeDecodeError) as error:
        raise RecipeError(f"the template cannot be read: {error}", where=str(path), hint="is it UTF-8?") from None


def _fill(text: str, values: Mapping[str, str]) -> str:
    lines: list[str] = []
    for line in map(Template, text.split("\n")):
        names = line.get_identifiers()
        filled = line.substitute(values) if not names or any(values[name] for name in names) else ""
        # An empty line goes with the line that was left out before it.
        if filled.strip() or (lines and lines[-1]):
            lines.append(filled)
    return "\n".join(lines).strip("\n")
