"""Queries -> answers -> rewards -> a verdict."""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from core import artifact
from core.artifact import Work
from core.llm.chat import Answer
from core.llm.journal import Spent
from core.llm.usage import Usage, cost
from core.reward.plain import plain
from core.reward.scorer import Scorer
from core.rl import searching, truths
from core.rl.probe import asking, extent, judgement, questions, rollouts, training
from core.rl.probe.measure import measured
from core.rl.probe.questions import Questions
from core.rl.probe.recipe import Recipe
from core.rl.probe.rollouts import Rollout

ROLLOUTS, ORIGINALS, REPORT = "rollouts.jsonl", "originals.jsonl", "report.json"

log = logging.getLogger(__name__)


@dataclass
class _Spending:
    """What the probe took."""

    usage: dict[str, Any] = field(default_factory=dict)
    """Of this run's client."""
    spent: Spent = field(default_factory=Spent)
    """Of earlier runs of the same work too."""
    answer_seconds: float = 0.0
    reward_seconds: float = 0.0

    def hear(self, usage: Usage, spent: Spent) -> None:
        """Take the counts of a client that has done."""
        log.info("%s", usage)
        self.usage, self.spent = usage.stats(), spent


def run(recipe: Recipe, work: Work) -> None:
    """Fill `work` with the rollouts and what they show; goes on where a stopped run was.

    Raises:
        ContractError: ground truths are empty, the index lacks their documents, or it takes operators for words; nobody
            was asked.
        Missing: the model, the search or a judge is not there; what was answered is kept, no score is made of it.
        BudgetReached: a cap is met; likewise.
    """
    found, spending = questions.read(recipe), _Spending()
    searching.check_operators(recipe, questions.prompts(recipe.queries))
    samples = [question.sample for question in found.asked]
    with Scorer(plain(recipe.reward)) as scorer:
        truths.check(scorer, samples)
    ids = searching.check_ids(recipe, samples)
    asking.take_over(recipe.out, work.logs)
    with searching.serving(recipe, work.logs) as (reward, beat), Scorer(plain(reward)) as scorer:
        # First what costs nothing: a search that is not there is told before the model is asked.
        before = rollouts.originals(scorer, reward, found.asked) if recipe.rewrites else []
        answers = _answers(recipe, found, work.logs, spending, beat)
        started = time.monotonic()
        scored = rollouts.score(scorer, reward, found.asked, answers, beat)
        spending.reward_seconds = time.monotonic() - started
    report = _report(recipe, found, answers, scored, before, spending) | {"ids": ids}
    _write(work, report, scored, before)


def _answers(
    recipe: Recipe, found: Questions, logs: Path, spending: _Spending, beat: Callable[[], None]
) -> list[list[Answer | str]]:
    started = time.monotonic()
    answers = asyncio.run(asking.ask(recipe.llm, found.asked, recipe.samples, logs, spending.hear, beat))
    spending.answer_seconds = time.monotonic() - started
    return answers


def _report(
    recipe: Recipe,
    found: Questions,
    answers: Sequence[Sequence[Answer | str]],
    scored: Sequence[Rollout],
    before: Sequence[Rollout],
    spending: _Spending,
) -> dict[str, Any]:
    refused = Counter(answer for group in answers for answer in group if isinstance(answer, str))
    numbers = {
        "queries": len(found.asked),
        "samples": recipe.samples,
        "refused": dict(sorted(refused.items())),
        **measured(scored, before, recipe.samples, _extent(recipe), seed=recipe.seed),
    }
    costs = _cost(recipe, spending)
    given = [answer for group in answers for answer in group if isinstance(answer, Answer)]
    asked = spending.usage["answers"]
    pace = training.Pace(
        prompt_tokens=sum(answer.prompt_tokens for answer in given) / len(given),
        answer_tokens=sum(answer.completion_tokens for answer in given) / len(given),
        answer_seconds=spending.answer_seconds / asked if asked else None,
        reward_seconds=spending.reward_seconds / len(given),
    )
    told = training.tell(recipe.training, found.rows, pace).as_dict()
    prices = recipe.llm.budget
    told["cost"] = cost(prices, told["prompt_tokens"], told["answer_tokens"])
    return {**judgement.judge(recipe, numbers), **numbers, "cost": costs, "training": told}


def _extent(recipe: Recipe) -> extent.Extent | None:
    """Lowest and highest reward; the recipe may say the highest."""
    found = extent.of_reward(recipe.reward)
    if recipe.highest_reward is None:
        return found
    return (found[0] if found else 0.0), recipe.highest_reward


def _cost(recipe: Recipe, spending: _Spending) -> dict[str, Any]:
    spent = spending.spent
    return {
        "prompt_tokens": spent.prompt_tokens,
        "answer_tokens": spent.completion_tokens,
        "cost": cost(recipe.llm.budget, spent.prompt_tokens, spent.completion_tokens),
        "answers_of_this_run": spending.usage["answers"],
        "answer_seconds": round(spending.answer_seconds, 3),
        "reward_seconds": round(spending.reward_seconds, 3),
    }


def _write(work: Work, report: dict[str, Any], scored: Sequence[Rollout], before: Sequence[Rollout]) -> None:
    rollouts.write(scored, work.path / ROLLOUTS)
    if before:
        rollouts.write(before, work.path / ORIGINALS)
    artifact.write_json(work.path / REPORT, report)
    work.stats |= report
