"""The process of a fine-tuning: `python -m core.sft.trl.worker FOLDER`."""

import logging
import sys
from pathlib import Path
from typing import Any

import torch
from trl.trainer.sft_config import SFTConfig

from core import digest, worker
from core.errors import Missing
from core.lazy import require
from core.memory import Knob
from core.sft.recipe import Recipe
from core.sft.trl import tokens
from core.sft.trl.launch import GOAL, steps, steps_an_epoch
from core.sft.trl.trainer import Trainer
from core.tuning.models.load import Loaded, load
from core.tuning.models.start import fingerprint
from core.tuning.trained import trl_of
from core.tuning.trl import session
from core.tuning.trl.arguments import FIELDS, common, made, micro_batches
from core.tuning.trl.follow import Follow, Plan
from core.tuning.trl.store import Store
from core.tuning.watch import advice
from core.tuning.watch.loss import LossWatch

OURS = {**FIELDS, "max_length": "max_length", "use_liger_kernel": "liger", "truncation_mode": "truncation"}
"""Arguments that follow from fields of the recipe."""

log = logging.getLogger(__name__)


def train(given: dict[str, Any], folder: Path) -> None:
    """Train as the recipe in `given` says, and leave checkpoints and logs."""
    recipe = Recipe.model_validate(given["recipe"])
    store = Store(folder, GOAL, recipe.checkpoints.keep)
    newest = store.begin({"rows": digest.of_file(Path(given["train"])), "model": fingerprint(given["model"])})
    knobs = [*advice.knobs(recipe), Knob.halved("max_length", recipe.max_length, "tokens of a conversation", least=64)]
    with session.opened(recipe, folder, given["recipe"], knobs) as tracker:
        loaded = load(recipe.model, given["model"])
        rows, counts = _dataset(recipe, given["train"], loaded)
        held_out = _dataset(recipe, given["held_out"], loaded)[0] if given["held_out"] else None
        plan = _plan(recipe, len(rows), measures=held_out is not None)
        log.info("%d examples, %d steps; %d tokens are learned an epoch", len(rows), plan.steps, counts.learned)
        arguments = _arguments(recipe, plan, store)
        arguments.eval_on_start = held_out is not None and newest is None

        def trainer(follow: Follow) -> Trainer:
            return Trainer(
                model=loaded.model,
                args=arguments,
                train_dataset=rows,
                eval_dataset=held_out,
                processing_class=loaded.tokenizer,
                peft_config=loaded.adapters,
                callbacks=[follow],
            )

        watch = LossWatch(recipe)
        session.train(trainer, store, newest, plan, tracker, watch, folder, facts={"examples": counts.as_dict()})


def _dataset(recipe: Recipe, path: str, loaded: Loaded) -> tuple[Any, tokens.Counts]:
    readable = getattr(loaded.model.config, "max_position_embeddings", None)
    rows, counts = tokens.dataset(
        Path(path), loaded.tokenizer, max_length=recipe.max_length, truncation=recipe.truncation, readable=readable
    )
    if counts.truncated:
        log.warning(
            "%s: %d of %d conversations are cut at %d tokens, %d of them before their answer and left out",
            *(path, counts.truncated, counts.rows, recipe.max_length, counts.left_out),
        )
    return rows, counts


def _plan(recipe: Recipe, rows: int, *, measures: bool) -> Plan:
    return Plan(
        steps=steps(recipe, rows),
        steps_an_epoch=steps_an_epoch(recipe, rows),
        rows_a_step=min(recipe.batch_size, rows),
        log_every=recipe.log_every,
        checkpoints=recipe.checkpoints,
        measures=measures,
    )


def _arguments(recipe: Recipe, plan: Plan, store: Store) -> Any:
    size, accumulated = micro_batches(recipe, recipe.batch_size)
    if plan.rows_a_step < recipe.batch_size:  # the whole set is one step
        size = min(size, plan.rows_a_step)
        accumulated = -(-plan.rows_a_step // size)
    values = {
        **common(recipe, plan.steps, store.unfinished),
        "per_device_train_batch_size": size,
        "per_device_eval_batch_size": size,
        "gradient_accumulation_steps": accumulated,
        "max_length": None,  # the rows are cut already
        "use_liger_kernel": _liger(recipe),
    }
    return made(SFTConfig, values, trl_of(recipe).overrides, OURS)


def _liger(recipe: Recipe) -> bool:
    """Whether its kernels are taken.

    Raises:
        Missing: they are wanted and not installed, or there is no GPU.
    """
    if recipe.liger is False:
        return False
    on_gpu = torch.cuda.is_available() and trl_of(recipe).device in {"auto", "cuda"}
    if recipe.liger is None and not on_gpu:
        return False
    try:
        require("liger_kernel")
    except Missing:
        if recipe.liger is None:
            return False
        hint = "pip install liger-kernel, or take liger=null"
        raise Missing("the package `liger-kernel` is not installed", hint=hint) from None
    if not on_gpu:
        raise Missing("liger's kernels need a GPU", hint="liger=null takes them where there is one")
    return True


if __name__ == "__main__":
    sys.exit(worker.main(train, Path(sys.argv[1])))
