"""`dr sft train`: conversations in, a language model out."""

import logging
from typing import Any

from transformers.utils.logging import disable_progress_bar

from core.artifact import Work
from core.llm.checkpoint import differs
from core.sft import verl
from core.sft.recipe import Recipe
from core.sft.trl import launch
from core.tuning.models import start
from core.tuning.outcome import ends
from core.tuning.rows.compose import compose, texts
from core.tuning.rows.composed import Composed
from core.tuning.spec import Pretrained, Verl
from core.tuning.trl.session import concluded
from core.tuning.verl import conclude as merging
from core.tuning.verl.saved import Saved

ROWS = "rows"

log = logging.getLogger(__name__)


def run(recipe: Recipe, work: Work) -> None:
    """What `recipe` trains on -> model, its checkpoints, its adapter where it has one.

    A killed run goes on from its newest checkpoint; one that was killed after its last step trains no more.

    Raises:
        DataError: there are no rows, or one cannot be taken.
        DrError: the model has no chat template, or the loss is no number.
        OutOfMemory: with the fields that need less.
        UsageError: the checkpoints of an earlier run are of another model.
    """
    disable_progress_bar()  # type: ignore[no-untyped-call]  # of loading and writing files; ours is of the steps
    rows = compose(recipe.data, "sft", work.path / ROWS, recipe.seed)
    model = start.begin(recipe.model, lambda: texts(rows), work.path, recipe.seed)
    known = differs(recipe.model.path, rows.prompts) if isinstance(recipe.model, Pretrained) else None
    if known:
        log.warning("%s", known)
    if isinstance(recipe.trainer, Verl):
        facts = _by_verl(recipe, recipe.trainer, work, rows, model)
    else:
        facts = _by_trl(recipe, work, rows, model)
    start.drop(work.path)
    facts["warnings"] = [*([known] if known else []), *facts["warnings"]]
    work.stats |= {"rows": rows.count, "held_out": rows.held_out_count, "prompts": rows.prompts}
    work.stats |= {**facts, **ends(work.path)}


def _by_trl(recipe: Recipe, work: Work, rows: Composed, model: str) -> dict[str, Any]:
    store = launch.train(recipe, rows, model, work.path)
    return concluded(store, launch.GOAL, recipe.model, model, work.path, rows.prompts)


def _by_verl(recipe: Recipe, trainer: Verl, work: Work, rows: Composed, model: str) -> dict[str, Any]:
    facts = verl.train(recipe, work.path, rows, model)
    step = facts["best"]["step"]
    checkpoint = Saved(work.path, verl.GOAL, recipe.checkpoints.keep).path(step)
    merging.conclude(checkpoint, recipe.model, trainer, model, work.path, rows.prompts)
    log.info("the model is that of step %d", step)
    return facts
