"""Parts that a language model grades."""

from collections.abc import Mapping, Sequence
from string import Template
from typing import Any

from core.remote.faults import ServiceFailed
from core.reward import truth
from core.reward.sample import Judged, Reading, Value
from core.reward.services.judge import Judge


class Graded:
    """A grade for each sample that has something to grade; 0, and no question, for the others."""

    facts: tuple[str, ...] = ("asked",)

    def __init__(self, config: Mapping[str, Any], judge: Judge, most_excluded: float | None) -> None:
        self._config, self._judge, self._most_excluded = config, judge, most_excluded
        self._template = Template(config["template"])
        self._graded = "answer" if config["type"] == "semantic_match" else "thoughts"

    def score(self, batch: Sequence[Reading]) -> list[Judged]:
        """A value, or a failure, for each.

        Raises:
            ServiceFailed: the judge is gone, or failed at more samples than it may.
        """
        questions = {place: self._question(reading) for place, reading in enumerate(batch) if self._given(reading)}
        may_fail = int((self._most_excluded or 0) * len(batch))
        grades = dict(zip(questions, self._judge.grade(list(questions.values()), may_fail=may_fail), strict=True))
        return [self._value(grades.get(place)) for place in range(len(batch))]

    def _given(self, reading: Reading) -> str:
        return reading.answer.short if self._graded == "answer" else reading.answer.thoughts

    def _value(self, grade: float | ServiceFailed | None) -> Judged:
        if grade is None:
            return Value(0.0, f"no {self._graded}", {"asked": 0.0})
        return grade if isinstance(grade, ServiceFailed) else Value(grade, "", {"asked": 1.0})

    def _question(self, reading: Reading) -> str:
        sample = reading.sample
        return self._template.substitute(
            question=sample.query,
            truth=truth.text(sample) if "truth" in self._template.get_identifiers() else "",
            answer=reading.answer.short,
            thoughts=reading.answer.thoughts,
            response=sample.response,
        )
