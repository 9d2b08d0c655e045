"""Parts that compare the answer with the true one, by rule."""

import re
import unicodedata
from collections.abc import Mapping
from typing import Any

from core.reward import truth
from core.reward.faults import BadTruth
from core.reward.parts.alone import Alone
from core.reward.parts.turns import in_form
from core.reward.quantity import equal, quantity
from core.reward.sample import Reading, Sample, Value
from core.reward.words import f1, same_form, tokens

_SEPARATORS = re.compile(r"(?:[\s,，、;；/|.。·&+()（）\[\]【】\"'“”]|和|与|及|以及|\band\b|\bAND\b)+")
_LEADING = re.compile(r"^[(（\[【]?([A-Z])[)）\]】]?\s*(?:[.．、:：)）]|\s-\s)\s*\S")
_SAID = re.compile(
    r"(?:答案|选项?|选择|应选|故选|answer|option|choice)\s*(?:is|are|应?[为是])?\s*[:：]?\s*"
    r"((?:[(（\[【]?[A-Z][)）\]】]?(?:\s*(?:[,，、;；/&]|和|与|及|and)\s*|(?![a-zA-Z])|(?=[A-Z])))+)(?![a-z])",
    re.IGNORECASE,
)


class ExactMatch(Alone):
    """1 or 0, or the credit for form and answer together."""

    facts: tuple[str, ...] = ("right",)

    def _value(self, reading: Reading) -> Value:
        answer, config = reading.answer.short, self._config
        right = exactly(answer, reading.sample, config)
        facts, why = {"right": float(right)}, "" if right else _differs(reading)
        if not (credit := config["credit"]):
            return Value(float(right), why, facts)
        valid = in_form(reading.sample.response)
        if right:
            return Value(credit["right_and_valid" if valid else "right"], "" if valid else "turns not in form", facts)
        return Value(credit["valid" if valid else "answered" if answer else "nothing"], why, facts)


class Choice(Alone):
    """1 for the true letters."""

    facts: tuple[str, ...] = ("right",)

    def _value(self, reading: Reading) -> Value:
        value = chosen(reading.answer.short, reading.sample, self._config["letters"], self._config["some"])
        return Value(value, "" if value == 1 else _differs(reading), {"right": float(value == 1)})


class F1(Alone):
    """Overlap of words."""

    facts: tuple[str, ...] = ("right",)

    def _value(self, reading: Reading) -> Value:
        value = overlap(reading.answer.short, reading.sample, self._config["unit"])
        return Value(value, "" if value == 1 else _differs(reading), {"right": float(value == 1)})


def exactly(answer: str, sample: Sample, config: Mapping[str, Any]) -> bool:
    """Whether the answer is a true one: the same amount where the true one is a number, else the same words."""
    ways = {"tolerance": config["tolerance"], "scale_needed": config["scale_needed"]}
    found = quantity(answer)
    if true := truth.quantity(sample):
        return found is not None and equal(found, true, **ways)
    for text in truth.answers(sample):
        true = quantity(text)
        if found and true:
            if equal(found, true, **ways):
                return True
        elif answer and same_form(answer) == same_form(text) != "":
            return True
    return False


def chosen(answer: str, sample: Sample, known: str, some: float) -> float:
    """1 for the true letters, `some` for some of them and no other."""
    true = {letter for text in truth.answers(sample) for letter in letters(text, known)}
    if not true:
        raise BadTruth(f"the ground truth names no option: {sample.truth!r}", where=sample.where or None)
    found = set(letters(answer, known))
    return 1.0 if found == true else some if found and found < true else 0.0


def overlap(answer: str, sample: Sample, unit: str) -> float:
    """F1 with the true answer that overlaps most."""

    def parts(text: str) -> list[str]:
        return tokens(text) if unit == "auto" else list(same_form(text).replace(" ", ""))

    return max(f1(parts(answer), parts(text)) for text in truth.answers(sample))


def letters(text: str, known: str) -> list[str]:
    """The options that an answer names, in the ways people write it: `B`, `（B）`, `B. 基金`, `选B`, `A、C和D`."""
    text = unicodedata.normalize("NFKC", text).strip()
    alone = _SEPARATORS.sub("", text)
    if (len(alone) == 1 or alone.isupper()) and all(letter in known for letter in alone.upper()):
        return list(alone.upper())
    if (leading := _LEADING.match(text)) and leading[1] in known:
        return [leading[1]]
    said = _SAID.findall(text)
    found = re.sub(r"and|[^A-Za-z]", "", said[-1], flags=re.IGNORECASE).upper() if said else ""
    if found and all(letter in known for letter in found):
        return list(found)
    # A lone capital in a sentence; not A and I, which are words.
    lone = {letter for letter in re.findall(r"(?<![A-Za-z])[A-Z](?![A-Za-z])", text) if letter in known}
    return list(lone) if len(lone) == 1 and not lone & {"A", "I"} else []


def _differs(reading: Reading) -> str:
    answer = reading.answer.short
    return f"answered {answer[:40]!r}" if answer else "no answer"
