"""A reward as the plain JSON that guest code reads: every value written out, prompts in it, paths absolute. Ours alone.

Secrets stay named: the guest takes keys and addresses from the environment it runs in.
"""

import json
from pathlib import Path
from string import Template
from typing import Any

from core.errors import RecipeError
from core.reward.parts.spec import Graded, Python, SqlExecution
from core.reward.spec import Reward

VERSION = 1
"""Of the JSON; a guest refuses another."""

NAMES = ("question", "truth", "answer", "thoughts", "response")
"""What a judge's template may have."""


def plain(reward: Reward) -> dict[str, Any]:
    """What `Scorer.load` reads.

    Raises:
        RecipeError: a prompt, the user's file or the databases are not there, or a prompt has an unknown placeholder.
    """
    # Fields of the recipe around it (its stage) say nothing to the guest.
    value = reward.model_dump(mode="json", include=set(Reward.model_fields))
    value["version"] = VERSION
    for part, fields in zip(reward.parts, value["parts"], strict=True):
        fields["name"] = part.key
        match part:
            case Graded():
                fields["judge"]["system"], fields["template"] = _prompt(part.prompt_folder())
                fields["judge"]["cache"] = _absolute(part.judge.cache)
            case Python():
                fields["file"] = _existing(part.file, "there is no such file")
            case SqlExecution():
                fields["databases"] = _existing(part.databases, "there is no such folder or database")
    return value


def write(reward: Reward, path: Path) -> None:
    """Write it to a file.

    Raises:
        RecipeError: as `plain`.
    """
    path.write_text(json.dumps(plain(reward), ensure_ascii=False, indent=1), encoding="utf-8")


def _absolute(path: Path | None) -> str | None:
    return str(path.absolute()) if path else None


def _existing(path: Path, what: str) -> str:
    if not path.exists():
        raise RecipeError(f"{what}: {path}", where=str(path), hint="paths are relative to where `dr` is called")
    return str(path.absolute())


def _prompt(folder: Path) -> tuple[str, str]:
    if not (folder / "user.txt").is_file():
        hint = "name a folder of recipes/reward/prompts, or one of your own with user.txt"
        raise RecipeError("there is no prompt template user.txt", where=str(folder), hint=hint)
    texts = [_text(folder / name) for name in ("system.txt", "user.txt")]
    for name, text in zip(("system.txt", "user.txt"), texts, strict=True):
        template = Template(text)
        unknown = set(template.get_identifiers()).difference(NAMES if name == "user.txt" else ())
        if not template.is_valid() or unknown:
            what = f"the template has ${min(unknown)}, which nothing fills" if unknown else "a `$` stands alone"
            hint = f"user.txt may have {', '.join(f'${n}' for n in NAMES)}, system.txt none; a dollar sign is `$$`"
            raise RecipeError(what, where=str(folder / name), hint=hint)
    return Template(texts[0]).substitute(), texts[1]


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig").strip() if path.exists() else ""
    except (OSError, UnicodeDecodeError) as error:
        raise RecipeError(f"the template cannot be read: {error}", where=str(path), hint="is it UTF-8?") from None
