"""One question on its way to the rows: what is asked, what is answered, what a reward compares with."""

import json
from dataclasses import dataclass

from core.formats.messages import ASSISTANT, Message
from core.text.answer import TAGS


@dataclass(frozen=True, slots=True)
class Item:
    """A question as a source gives it, already in the words of the prompt."""

    where: str
    """Its place in the source, such as `train.jsonl:12`."""
    question: str
    """The question alone, without options and context."""
    prompt: tuple[Message, ...]
    """All that comes before the answer."""
    answer: str
    """What a model should write. Empty: the source has no such answer."""
    truth: str
    """What a reward compares with: a letter, or JSON text. Empty: nothing can be checked."""
    kin: tuple[str, ...]
    """Texts that no two splits may share: the question, its context."""
    split: str | None = None
    """The source's own split. None: it has none."""

    @property
    def messages(self) -> tuple[Message, ...]:
        """The whole conversation, with its answer."""
        return (*self.prompt, Message(ASSISTANT, self.answer))


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A good row that gives nothing here, and why."""

    reason: str


def tagged(explanation: str, answer: str) -> str:
    """An answer as the prompts ask for it; without an explanation there are no empty thoughts."""
    thoughts = f"<think>\n{explanation}\n</think>\n" if explanation else ""
    return f"{thoughts}<answer>{answer}</answer>"


def in_form(thoughts: str, key: str, value: str) -> str:
    """An answer that is JSON with one key, as rewards ask for it: each tag once, whatever the thoughts hold."""
    for tag in TAGS:
        thoughts = thoughts.replace(tag, " ")
    start, end, begin, close = TAGS
    within = f"\n{thoughts.strip()}\n" if thoughts.strip() else ""
    return f"{start}{within}{end}\n{begin}{json.dumps({key: value}, ensure_ascii=False)}{close}"
