"""`dr rl train`: questions and a reward in, a language model out."""

import logging
from collections.abc import Callable
from typing import Any

from transformers.utils.logging import disable_progress_bar

from core.artifact import Work
from core.llm.checkpoint import differs
from core.reward import plain, trials
from core.reward.sample import Sample
from core.reward.scorer import Scorer
from core.reward.spec import Reward
from core.rl import searching, truths, verl
from core.rl.job import Job
from core.rl.recipe import Recipe
from core.rl.trl import launch
from core.tuning.models import start
from core.tuning.outcome import ends
from core.tuning.rows.compose import compose, texts
from core.tuning.rows.composed import Composed
from core.tuning.spec import Pretrained, Verl
from core.tuning.trl.session import concluded
from core.tuning.verl import conclude as of_verl
from core.tuning.verl.saved import Saved

ROWS, REWARD = "rows", "reward.json"

log = logging.getLogger(__name__)


def run(recipe: Recipe, work: Work) -> None:
    """What `recipe` asks and pays for -> model, its checkpoints, its adapter where it has one.

    A killed run goes on from its newest checkpoint; one that was killed after its last step trains no more.

    Raises:
        DataError: there are no rows, or one cannot be taken.
        ContractError: ground truths are empty, or the index lacks their documents; nothing was trained.
        Missing: the search or a judge is not there, or went away; no answer was scored without it.
        DrError: a wire stopped the training before its first checkpoint.
        OutOfMemory: with the fields that need less.
        UsageError: the checkpoints of an earlier run are of another model.
    """
    disable_progress_bar()  # type: ignore[no-untyped-call]  # of loading and writing files; ours is of the steps
    rows = compose(recipe.data, "rl", work.path / ROWS, recipe.seed)
    ids = _check(recipe, rows)
    model = start.begin(recipe.model, lambda: texts(rows), work.path, recipe.seed)
    known = differs(recipe.model.path, rows.prompts) if isinstance(recipe.model, Pretrained) else None
    if known:
        log.warning("%s", known)
    with searching.serving(recipe, work.logs) as (reward, beat):
        job = _job(recipe, work, rows, reward, beat)
        facts = _by_verl(job, recipe.trainer, model) if isinstance(recipe.trainer, Verl) else _by_trl(job, model)
    start.drop(work.path)
    facts["warnings"] = [*([known] if known else []), *facts["warnings"]]
    work.stats |= {"rows": rows.count, "held_out": rows.held_out_count, "prompts": rows.prompts, "ids": ids}
    work.stats |= {**facts, **ends(work.path)}


def _check(recipe: Recipe, rows: Composed) -> dict[str, Any] | None:
    """See that the ground truths can be paid for, before anything is started; what is known of their documents."""
    searching.check_operators(recipe, rows.prompts)
    samples: list[Sample] = [
        trial.sample for file in (rows.train, rows.held_out) if file for trial in trials.read(file, response="")
    ]
    with Scorer(plain.plain(recipe.reward)) as scorer:
        truths.check(scorer, samples)
    return searching.check_ids(recipe, samples)


def _job(recipe: Recipe, work: Work, rows: Composed, reward: Reward, beat: Callable[[], None]) -> Job:
    path = work.logs / REWARD
    plain.write(reward, path)
    searched = reward.retriever.url if reward.searches or recipe.tool else None
    return Job(recipe=recipe, folder=work.path, rows=rows, reward=path, search=searched, beat=beat)


def _by_trl(job: Job, model: str) -> dict[str, Any]:
    return concluded(launch.train(job, model), launch.GOAL, job.recipe.model, model, job.folder, job.rows.prompts)


def _by_verl(job: Job, trainer: Verl, model: str) -> dict[str, Any]:
    facts = verl.train(job)
    checkpoint = Saved(job.folder, launch.GOAL, None).path(facts["best"]["step"])
    of_verl.conclude(checkpoint, job.recipe.model, trainer, model, job.folder, job.rows.prompts, job.beat)
    log.info("the model is that of step %d", facts["best"]["step"])
    return facts
