"""What answers earn, tried before a training pays for it: the reward once, over the run's own search, and the tool."""

import json
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from core.errors import ContractError
from core.reward import truth
from core.reward.faults import BadReward, BadTruth
from core.reward.parts.spec import Format, Graded, SqlExecution
from core.reward.plain import plain
from core.reward.sample import Sample
from core.reward.scorer import Scorer
from core.reward.spec import Reward
from core.rl import searching, truths
from core.rl.recipe import Recipe
from core.rl.tool.search import NOTHING, Search
from core.tuning.check.apart import WARNING

TRIED = 2
"""Questions that an answer is made up to."""
RETRIES = 2
"""Of a judge, which is asked more patiently in the training: what never answers with a number is told soon."""


def look(recipe: Recipe, samples: Sequence[Sample], folder: Path) -> Iterator[str]:
    """See that every ground truth can be paid for, then what an answer in form earns, then what the tool finds.

    Raises:
        ContractError: ground truths are empty, the index lacks their documents, or the reward is no number.
        Missing: the search or a judge is not there, or a judge answers with no grade.
    """
    with Scorer(plain(recipe.reward)) as scorer:
        truths.check(scorer, samples)
    if ids := searching.check_ids(recipe, samples):
        yield f"documents: {ids['named']:,} in the ground truths, {ids['missing']:,} of them not in the index"
    with searching.serving(recipe, folder / "logs") as (reward, _):
        yield from _scored(_quick(reward), samples[:TRIED])
        if recipe.tool:
            yield from _searched(recipe, reward, samples[0])


def in_form(reward: Reward, sample: Sample) -> str:
    """An answer that keeps the contract: the query itself, or where nothing is searched what is right."""
    word, form = reward.step_words[0], next((part for part in reward.parts if isinstance(part, Format)), None)
    steps = range(1, max(form.min_steps if form else 0, 1) + 1)
    thoughts = "\n".join(f"{word} {number}: look at what is asked." for number in steps)
    said = sample.query or "a query"
    text = json.dumps({reward.answer_key: said}, ensure_ascii=False)
    if any(isinstance(part, SqlExecution) for part in reward.parts):
        text = json.dumps({reward.answer_key: truth.sql(sample)[0]}, ensure_ascii=False)
    elif not reward.searches and not (form and form.answer == "query"):
        text = _right(sample) or said
    start = "" if reward.prefilled_think else "<think>"
    return f"{start}{thoughts}</think><answer>{text}</answer>"


def _right(sample: Sample) -> str | None:
    try:
        return truth.answers(sample)[0]
    except BadTruth:
        return None


def _quick(reward: Reward) -> Reward:
    parts = [
        part.model_copy(
            update={"judge": part.judge.model_copy(update={"retries": min(part.judge.retries, RETRIES), "cache": None})}
        )
        if isinstance(part, Graded)
        else part
        for part in reward.parts
    ]
    return reward.model_copy(update={"parts": tuple(parts)})


def _scored(reward: Reward, samples: Sequence[Sample]) -> Iterator[str]:
    answered = [replace(sample, response=in_form(reward, sample)) for sample in samples]
    started = time.monotonic()
    with Scorer(plain(reward)) as scorer:
        scored = scorer.score(answered)
    seconds = (time.monotonic() - started) / len(scored)
    for sample, item in zip(answered, scored, strict=True):
        if item.total is None:
            yield f"{WARNING}an answer would be left out: {item.excluded}"
        elif not math.isfinite(item.total):
            raise BadReward(f"the reward of an answer is {item.total}", where=sample.where)
        else:
            parts = ", ".join(f"{name} {value:g}" for name, value in item.parts.items())
            asked = f", asked `{sample.query[:60]}`" if sample.query else ""
            yield f"reward: {item.total:g} for an answer in form ({parts}), {seconds:.2f} s{asked}"
            _check_form(reward, item.parts)


def _check_form(reward: Reward, parts: dict[str, float]) -> None:
    form = next((part for part in reward.parts if isinstance(part, Format)), None)
    if form and not form.only_with_answer and parts[form.key] != form.good and form.good != form.bad:
        what = f"an answer that keeps the contract earns {parts[form.key]:g} for its form, not {form.good:g}"
        raise ContractError(what, hint="do `prefilled_think`, `answer_key`, `step_words` and the part `format` agree?")


def _searched(recipe: Recipe, reward: Reward, sample: Sample) -> Iterator[str]:
    assert recipe.tool is not None  # noqa: S101 - whoever calls has looked
    search = Search(recipe.tool.model_dump(), plain(reward)["retriever"])
    try:
        found = search.ask([sample.query or "a query"])
    finally:
        search.close()
    if found == NOTHING:
        yield f"{WARNING}`{recipe.tool.name}` finds nothing for {sample.query!r}"
    else:
        yield f"search: `{recipe.tool.name}` answers, {len(found):,} characters for one query"
