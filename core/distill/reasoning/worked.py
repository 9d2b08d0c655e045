"""A worked answer: the thoughts, the answer, and whether it agrees with the true one."""

import re
from dataclasses import dataclass

from core.distill.answers import Unusable
from core.llm.chat import Answer
from core.text.normal import normalise

_THOUGHT = re.compile(r"^\s*(?:<think>)?(.*?)</think>", re.DOTALL)
_ANSWER = re.compile(r"<answer>(.*?)</answer>", re.DOTALL)
_SCALES = {"%": 0.01, "千": 1e3, "万": 1e4, "百万": 1e6, "千万": 1e7, "亿": 1e8, "万亿": 1e12,
           "thousand": 1e3, "million": 1e6, "billion": 1e9, "trillion": 1e12}  # fmt: skip
_NUMBER = re.compile(rf"([-+]?\d+(?:\.\d+)?)\s*({'|'.join(sorted(_SCALES, key=len, reverse=True))})?")
_EDGES = " \t\n。.，,；;：:！!？?“”\"'（）()"


@dataclass(frozen=True, slots=True)
class Worked:
    """Thoughts and answer of one reply."""

    thought: str
    answer: str

    @property
    def content(self) -> str:
        """What an assistant says: thoughts and answer in their tags."""
        return f"<think>\n{self.thought}\n</think>\n<answer>{self.answer}</answer>"


def read(answer: Answer) -> Worked:
    """Thoughts and answer; the last `<answer>` counts, and thoughts may come apart from the text.

    Raises:
        Unusable: one of the two is missing, or the reply was cut off.
    """
    if answer.finish_reason == "length":
        raise Unusable("it is too long and was cut off")
    found = _ANSWER.findall(answer.text)
    if not found or not found[-1].strip():
        raise Unusable("there is no answer in <answer>…</answer>")
    inside = _THOUGHT.match(answer.text)
    thought = (answer.reasoning or (inside[1] if inside else "")).strip()
    if not thought:
        raise Unusable("there are no steps in <think>…</think>")
    return Worked(thought, found[-1].strip())


def agrees(given: str, true: str, tolerance: float) -> bool:
    """Whether an answer is the true one: the same text in normal form, or the same single number within `tolerance`.

    `3.5%` and `0.035` are one number, `20万` and `200000` too; a unit beside a number does not count.
    """
    if _plain(given) == _plain(true):
        return True
    wanted, numbers = _numbers(true), _numbers(given)
    if len(wanted) != 1 or not numbers:
        return False
    return any(abs(number - wanted[0]) <= tolerance * max(abs(wanted[0]), 1e-12) for number in numbers[-1:])


def _plain(text: str) -> str:
    return " ".join(normalise(text).split()).strip(_EDGES)


def _numbers(text: str) -> list[float]:
    return [float(number) * _SCALES.get(scale, 1) for number, scale in _NUMBER.findall(normalise(text))]
