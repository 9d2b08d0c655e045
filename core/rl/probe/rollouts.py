"""Answers with what they earned, and the original queries with what they would have."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

import orjson

from core import progress
from core.llm.chat import Answer
from core.reward.parts.spec import Format
from core.reward.sample import Sample, Scored
from core.reward.scorer import Scorer
from core.reward.spec import Reward
from core.rl.probe.asking import response
from core.rl.probe.questions import Question
from core.rl.rollouts import row
from core.text import answer as contract

BATCH = 2048
"""Answers that are scored together."""

THOUGHT = "the query stands as it is."


@dataclass(frozen=True, slots=True)
class Rollout:
    """An answer, and what it earned."""

    question: Question
    number: int
    """Which of the answers to its question, from 0."""
    sample: Sample
    scored: Scored
    unusable: str
    """Why nothing can be read out of it. Empty: something can."""
    format_lost: bool
    """Whether the reward's part `format` finds a fault."""

    def row(self) -> dict[str, Any]:
        """A line of rollouts.jsonl."""
        return row(self.question.id, self.number, self.sample, self.scored)


def originals(scorer: Scorer, reward: Reward, questions: Sequence[Question]) -> list[Rollout]:
    """Every query as if the model had answered it unchanged, in the form that the reward asks for.

    Raises:
        Missing: a service that the reward asks is gone.
    """
    samples = [replace(q.sample, response=unchanged(reward, q.sample.query)) for q in questions]
    scored = scorer.score(samples)
    return [
        Rollout(question, 0, sample, item, "", format_lost=False)
        for question, sample, item in zip(questions, samples, scored, strict=True)
    ]


def unchanged(reward: Reward, query: str) -> str:
    """An answer in form that leaves the query as it was; it has the least number of steps that the format wants."""
    steps = max([part.min_steps for part in reward.parts if isinstance(part, Format)] or [0])
    thoughts = [f"{reward.step_words[0]} {number}: {THOUGHT}" for number in range(1, steps + 1)] or [THOUGHT]
    start, end, begin, close = contract.TAGS
    said = "\n".join(thoughts) + end + begin + json.dumps({reward.answer_key: query}, ensure_ascii=False) + close
    return said if reward.prefilled_think else start + said


def score(
    scorer: Scorer,
    reward: Reward,
    questions: Sequence[Question],
    answers: Sequence[Sequence[Answer | str]],
    beat: Callable[[], None],
) -> list[Rollout]:
    """The answers with what they earned; those that the server refused are left out. `beat` is called at each batch.

    Raises:
        Missing: a service that the reward asks is gone; no score is made of it.
    """
    asked = _asked(reward, questions, answers)
    found: list[Rollout] = []
    with progress.bar("probe: score", sum(map(len, answers))) as bar:
        while batch := list(islice(asked, BATCH)):
            beat()
            for (question, number, answer, sample), item in zip(
                batch, scorer.score([sample for *_, sample in batch]), strict=True
            ):
                found.append(_rollout(reward, question, number, answer, sample, item))
            bar.advance(len(batch))
    return found


def write(rollouts: Sequence[Rollout], path: Path) -> None:
    """Write them, one a line."""
    with path.open("wb") as file:
        for rollout in rollouts:
            file.write(orjson.dumps(rollout.row(), option=orjson.OPT_APPEND_NEWLINE))


def _asked(
    reward: Reward, questions: Sequence[Question], answers: Sequence[Sequence[Answer | str]]
) -> Iterator[tuple[Question, int, Answer, Sample]]:
    for question, group in zip(questions, answers, strict=True):
        for number, answer in enumerate(group):
            if isinstance(answer, Answer):
                said = response(answer, prefilled=reward.prefilled_think)
                yield question, number, answer, replace(question.sample, response=said)


def _rollout(
    reward: Reward, question: Question, number: int, answer: Answer, sample: Sample, scored: Scored
) -> Rollout:
    read = contract.read(sample.response, key=reward.answer_key, box=reward.box)
    # A reward that does not search takes any answer, in a query or not.
    usable = read.query is not None if reward.searches else bool(read.short)
    why = "cut off" if answer.finish_reason == "length" else read.why or "no answer"
    lost = any(
        isinstance(part, Format) and bool(scored.why.get(part.key)) and scored.parts[part.key] == part.bad
        for part in reward.parts
    )
    return Rollout(question, number, sample, scored, "" if usable else why, lost)
