"""Whether tools were used when needed, rightly, without repeats, and to some use."""

import json
from typing import Any

from core.reward.faults import BadTruth
from core.reward.parts.alone import Alone
from core.reward.parts.answers import chosen, exactly, overlap
from core.reward.parts.turns import Call, calls
from core.reward.sample import Reading, Sample, Value
from core.reward.words import same_form
from core.text.answer import read

_EXACT = {"tolerance": 1e-6, "scale_needed": True}
_LETTERS = "ABCDEFGHIJ"


class ToolUse(Alone):
    """The shares, added up."""

    facts: tuple[str, ...] = ("calls", "valid", "repeated", "gain")

    def _value(self, reading: Reading) -> Value:
        config, sample = self._config, reading.sample
        made = calls(sample)
        needed = config["needed"] == "always" or bool(sample.extra.get("needs_tool"))
        valid = sum(self._is_valid(call) for call in made)
        fresh = len({_said(call) for call in made})
        gain = self._gain(reading) if config["gain"] else 0.0
        right = bool(made) == needed
        # Without calls their quality is that of having made none: right where none was needed, nothing where one was.
        share_valid = valid / len(made) if made else float(not needed)
        share_new = fresh / len(made) if made else float(not needed)
        score = config["called"] * right + config["valid"] * share_valid + config["new"] * share_new
        why = f"{len(made)} calls, {valid} valid, {len(made) - fresh} repeated" + ("" if needed else ", none needed")
        facts = {"calls": float(len(made)), "valid": share_valid, "repeated": float(len(made) - fresh), "gain": gain}
        return Value(round(score + config["gain"] * gain, 12), why, facts)

    def _is_valid(self, call: Call) -> bool:
        needed = self._config["tools"].get(call.tool)
        return needed is not None and all(_says_something(call.arguments.get(name)) for name in needed)

    def _gain(self, reading: Reading) -> float:
        sample = reading.sample
        without = sample.extra.get("without_tool")
        if without is None:
            what = "`gain` counts, and the row has no `extra_info.without_tool`: an answer made without tools"
            raise BadTruth(what, where=sample.where or None, hint="set `gain: 0`, or add the answers to the rows")
        before = read(str(without))
        return self._worth(reading.answer.short, sample) - self._worth(before.short or str(without), sample)

    def _worth(self, answer: str, sample: Sample) -> float:
        match self._config["gain_by"]:
            case "exact_match":
                return float(exactly(answer, sample, _EXACT))
            case "choice":
                return chosen(answer, sample, _LETTERS, 0.0)
            case _:
                return overlap(answer, sample, "auto")


def _says_something(value: Any) -> bool:
    if isinstance(value, list):
        return bool(value) and all(map(_says_something, value))
    return bool(value.strip()) if isinstance(value, str) else value is not None


def _said(call: Call) -> str:
    """What two calls have in common that say the same."""
    return same_form(f"{call.tool} {json.dumps(call.arguments, sort_keys=True, ensure_ascii=False)}")
