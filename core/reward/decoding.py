"""What a trainer makes of a model's tokens before a reward sees them: special tokens are left out. Ours alone."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from core import lazy
from core.errors import UsageError
from core.reward.parts.spec import ExactMatch, FormatPieces, ToolUse
from core.reward.spec import Reward
from core.text.answer import TAGS

_CALLS = ("<tool_call>", "</tool_call>", "<search>", "</search>")


class Decoder:
    """A tokenizer as verl and TRL use it: `decode(…, skip_special_tokens=True)`."""

    def __init__(self, path: Path) -> None:
        file = path / "tokenizer.json" if path.is_dir() else path
        if not file.is_file():
            hint = "a model's folder with tokenizer.json, or that file"
            raise UsageError("there is no tokenizer", where=str(file), hint=hint)
        self._tokenizer: Any = lazy.require("tokenizers").Tokenizer.from_file(str(file))
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        named = _named(file.parent / "tokenizer_config.json")
        # transformers makes special what the configuration calls so, whatever tokenizer.json says.
        self._tokenizer.add_special_tokens([token for token in named if self._tokenizer.token_to_id(token) is not None])
        added = self._tokenizer.get_added_tokens_decoder().values()
        self.special = {token.content for token in added if token.special}
        """The tokens that are left out."""

    def seen(self, text: str) -> str:
        """What a reward sees of a response that says `text`."""
        ids = self._tokenizer.encode(text, add_special_tokens=False).ids
        return str(self._tokenizer.decode(ids, skip_special_tokens=True))


def needed(reward: Reward) -> Iterator[tuple[str, str]]:
    """The marks that the parts of a reward look for, each with the part's name."""
    for part in reward.parts:
        match part:
            case FormatPieces() if part.box:
                marks: tuple[str, ...] = (*TAGS, *reward.box)
            case ToolUse():
                marks = (*TAGS, *_CALLS)
            case ExactMatch() if part.credit:
                marks = (*TAGS, *_CALLS)
            case _:
                marks = TAGS
        for mark in marks:
            yield part.key, mark


def stripped(reward: Reward, decoder: Decoder) -> list[str]:
    """What the reward will never see with this tokenizer, as sentences."""
    lost: dict[str, list[str]] = {}
    for name, mark in needed(reward):
        if mark in decoder.special:
            lost.setdefault(mark, []).append(name)
    return [
        f"`{mark}` is a special token here: trainers leave it out, and `{'`, `'.join(names)}` will not see it"
        for mark, names in lost.items()
    ]


def _named(config: Path) -> list[str]:
    """The tokens that a tokenizer's configuration calls special."""
    if not config.is_file():
        return []
    fields = json.loads(config.read_text(encoding="utf-8"))
    tokens = [fields.get(name) for name in ("bos_token", "eos_token", "pad_token", "unk_token")]
    tokens += fields.get("additional_special_tokens") or fields.get("extra_special_tokens") or []
    tokens += [token for token in (fields.get("added_tokens_decoder") or {}).values() if token.get("special")]
    contents = (token.get("content") if isinstance(token, dict) else token for token in tokens)
    return [content for content in contents if isinstance(content, str)]
