"""How long rows are, in tokens of a tokenizer or in characters, and which are too long."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from core.data.report import percentiles
from core.errors import Missing
from core.formats.messages import Message, as_dicts
from core.lazy import require


class Ruler:
    """Measures conversations."""

    unit = "characters"
    special: Sequence[str] = ()
    """Special tokens: they vanish from an answer before a reward sees it."""

    def measure(self, conversations: Sequence[tuple[Message, ...]], *, answered: bool) -> list[int]:  # noqa: ARG002
        """Length of each; `answered`: whether it ends in an answer, or a model goes on from its end."""
        return [sum(len(content) for _, content in messages) for messages in conversations]


class Tokens(Ruler):
    """Measures in tokens, the chat template's own included where the tokenizer has one."""

    unit = "tokens"

    def __init__(self, name: str) -> None:
        """Load the tokenizer.

        Raises:
            Missing: there is none of that name.
        """
        transformers = require("transformers")
        try:
            self._tokenizer = transformers.AutoTokenizer.from_pretrained(name)
        except (OSError, ValueError) as error:
            hint = "name a folder with tokenizer.json, or a name on the hub that can be reached; null counts characters"
            told = str(error).splitlines()[0]
            raise Missing(f"there is no tokenizer `{name}`: {told}", where="tokenizer", hint=hint) from None
        self.special = tuple(self._tokenizer.all_special_tokens)

    def measure(self, conversations: Sequence[tuple[Message, ...]], *, answered: bool) -> list[int]:
        """Number of tokens of each."""
        texts = [self._text(messages, answered) for messages in conversations]
        return [len(ids) for ids in self._tokenizer(texts, add_special_tokens=False)["input_ids"]]

    def _text(self, messages: tuple[Message, ...], answered: bool) -> str:
        if not self._tokenizer.chat_template:
            return "\n".join(content for _, content in messages)
        as_text = self._tokenizer.apply_chat_template
        return str(as_text(as_dicts(messages), tokenize=False, add_generation_prompt=not answered))


def ruler(tokenizer: str | None) -> Ruler:
    """The ruler that a recipe asks for.

    Raises:
        Missing: the tokenizer is not there.
    """
    return Ruler() if tokenizer is None else Tokens(tokenizer)


def report(lengths: Counter[int], max_length: int) -> dict[str, Any]:
    """Percentiles of the lengths, and how many rows are longer than `max_length`."""
    longer = sum(count for length, count in lengths.items() if length > max_length)
    return {**percentiles(lengths), "longer_than_max_length": longer}
