"""What TRL calls for each batch of answers: our scorer, asked once for all of them.

A failure raises, and no answer gets a number in its place. An answer that the reward leaves out is `None`, which TRL
takes out of its group's mean and gives no advantage.
"""

import statistics
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from core.errors import DrError
from core.reward.sample import Sample, Scored
from core.reward.scorer import Scorer
from core.rl.rollouts import Rollouts, row

Numbers = dict[str, list[float]]
"""Metric -> a value for each answer."""


class Reward:
    """The reward function of one run; TRL names its own columns by `__name__`."""

    __name__ = "reward"

    def __init__(
        self,
        scorer: Scorer,
        samples: Sequence[Sample],
        *,
        train: int,
        decode: Callable[[Sequence[Sequence[int]]], list[str]],
        failure: Callable[[], DrError | None],
        keep: "Kept",
    ) -> None:
        """`samples`: rows without answers, the first `train` of them for training, the others held out. `decode` makes
        text of an answer's tokens, `failure` is why the tool got no answer of its service.
        """
        self._scorer, self._samples, self._train = scorer, samples, train
        self._decode, self._failure, self._keep = decode, failure, keep
        self.held_out: Numbers = defaultdict(list)
        """What held-out answers earned since it was last cleared."""

    def __call__(
        self,
        *,
        completions: Sequence[Any],
        completion_ids: Sequence[Sequence[int]],
        row: Sequence[int],
        trainer_state: Any,
        log_metric: Callable[[str, float], None],
        **_: Any,
    ) -> list[float | None]:
        """What each answer earned; None: left out.

        Raises:
            DrError: there is no score.
        """
        if failure := self._failure():
            raise failure
        texts = self._decode(completion_ids)
        samples = [
            replace(self._samples[place], response=text, messages=_turns(turns))
            for place, text, turns in zip(row, texts, completions, strict=True)
        ]
        scored = self._scorer.score(samples)
        numbers = measured(scored, self._scorer.config)
        if row[0] >= self._train:
            for name, values in numbers.items():
                self.held_out[name] += values
        else:
            for name, values in numbers.items():
                if values and name != "reward":
                    log_metric(name, statistics.fmean(values))
            self._keep(int(trainer_state.global_step), row, samples, scored)
        return [item.total for item in scored]


class Kept:
    """Writes the first answers of every logged step."""

    def __init__(self, rollouts: Rollouts, *, number: int, every: int, updates: int) -> None:
        """`updates`: changes of the weights in a step."""
        self._rollouts, self._number, self._every, self._updates = rollouts, number, every, updates

    def __call__(self, done: int, rows: Sequence[int], samples: Sequence[Sample], scored: Sequence[Scored]) -> None:
        """Take the answers after `done` changes of the weights."""
        step = done // self._updates + 1
        if step % self._every and step > 1:
            return
        seen: dict[int, int] = defaultdict(int)
        lines = []
        for place, sample, item in list(zip(rows, samples, scored, strict=True))[: self._number]:
            lines.append({"step": step, **row(str(place), seen[place], sample, item)})
            seen[place] += 1
        self._rollouts.append(lines)


def names(config: Mapping[str, Any], keys: Sequence[str]) -> list[str]:
    """The names that `measured` may have, but for `reward`; `keys` are the scorer's."""
    parts = [part["name"] for part in config["parts"]]
    facts = [key for key in keys if key != "score" and key not in parts]
    return [*(f"reward/{name}" for name in parts), *facts, "in_form", "excluded"]


def measured(scored: Sequence[Scored], config: Mapping[str, Any]) -> Numbers:
    """Values by the names of the log, without `train/` or `eval/`: of the answers that are not left out."""
    counted = [item for item in scored if item.total is not None]
    numbers: Numbers = {"reward": [item.total or 0.0 for item in counted]}
    for part in config["parts"]:
        numbers[f"reward/{part['name']}"] = [item.parts[part["name"]] for item in counted]
        if part["type"] == "format":
            numbers["in_form"] = [float(not _lost(item, part)) for item in counted]
    for name in counted[0].facts if counted else ():
        numbers[name] = [item.facts[name] for item in counted]
    if config["on_failure"] == "exclude":
        numbers["excluded"] = [float(item.total is None) for item in scored]
    return numbers


def _lost(item: Scored, part: Mapping[str, Any]) -> bool:
    """Whether the part `format` finds a fault."""
    name = part["name"]
    return bool(item.why.get(name)) and item.parts[name] == part["bad"]


def _turns(turns: Any) -> Sequence[Mapping[str, Any]]:
    """The messages of an answer in which a tool was called; none of one in a single turn."""
    return turns if isinstance(turns, list) and (len(turns) > 1 or turns[0].get("tool_calls")) else ()
