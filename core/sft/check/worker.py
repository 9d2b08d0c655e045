"""The process that looks at a fine-tuning before it starts: `python -m core.sft.check.worker FOLDER`."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from trl.trainer.sft_config import SFTConfig

from core.llm.checkpoint import differs
from core.sft import verl
from core.sft.recipe import Recipe
from core.sft.trl import tokens
from core.sft.trl.launch import steps, steps_an_epoch
from core.sft.trl.worker import OURS
from core.tuning.check import apart, machine, sample
from core.tuning.models import start
from core.tuning.models.chat import check_template
from core.tuning.models.load import tokenizer_of
from core.tuning.rows.compose import compose, texts
from core.tuning.rows.composed import Composed
from core.tuning.spec import Pretrained, Verl
from core.tuning.trl.arguments import common, made, micro_batches
from core.tuning.verl import keys


def look(given: dict[str, Any], folder: Path) -> Iterator[str]:
    """What is seen, a line each; `folder` is scratch."""
    recipe = Recipe.model_validate(given)
    rows = compose(recipe.data, "sft", folder / "rows", recipe.seed)
    yield f"rows: {rows.count:,} an epoch, {rows.held_out_count:,} held out"
    number, epoch = trainer(recipe, rows, folder)
    name = start.begin(recipe.model, lambda: texts(rows), folder, recipe.seed)
    yield from _of_model(recipe, rows, name, folder, number, epoch)
    if isinstance(recipe.trainer, Verl):
        yield from verl.check(recipe, rows, name, folder)


def trainer(recipe: Recipe, rows: Composed, folder: Path) -> tuple[int, int]:
    """Steps of the training and of an epoch, where the trainer can be had and batches can be cut as the recipe says.

    Raises:
        Missing, RecipeError: it is not so.
    """
    if isinstance(recipe.trainer, Verl):
        verl.ready(recipe.trainer)
        return keys.steps(rows.count, recipe.batch_size, recipe.epochs, recipe.steps)
    micro_batches(recipe, recipe.batch_size)
    made(SFTConfig, common(recipe, 1, folder / "trl"), recipe.trainer.overrides, OURS)
    return steps(recipe, rows.count), steps_an_epoch(recipe, rows.count)


def _of_model(recipe: Recipe, rows: Composed, name: str, folder: Path, number: int, epoch: int) -> Iterator[str]:
    trusted = isinstance(recipe.model, Pretrained) and recipe.model.trust_remote_code
    tokenizer = tokenizer_of(name, trust_remote_code=trusted)
    check_template(tokenizer, name)
    model = machine.empty(name, trust_remote_code=trusted)
    if isinstance(recipe.model, Pretrained) and (others := differs(recipe.model.path, rows.prompts)):
        yield f"{apart.WARNING}{others}"
    size = machine.size(recipe.model, model)
    yield f"model: {machine.told(recipe.model, size)}"
    counts = _counted(recipe, rows, tokenizer, getattr(model.config, "max_position_embeddings", None), folder)
    mean = counts.tokens / counts.examples
    yield f"tokens: {mean:,.0f} a conversation in the mean, {counts.longest:,} at most, of {counts.rows:,} looked at"
    if counts.truncated:
        share = counts.truncated / counts.rows
        yield (
            f"{apart.WARNING}{share:.1%} of the conversations are cut at `max_length` ({recipe.max_length:,}), "
            f"{counts.left_out:,} of {counts.rows:,} before their answer: they teach nothing"
        )
    batch = min(recipe.batch_size, rows.count)
    tokens_in_all = number * batch * mean
    yield f"estimate: {number:,} steps x {batch:,} conversations, about {tokens_in_all:,.0f} tokens"
    yield from machine.check_disk(recipe.out, size, recipe.checkpoints, number, epoch)


def _counted(recipe: Recipe, rows: Composed, tokenizer: Any, readable: int | None, folder: Path) -> tokens.Counts:
    """A sample as the training will take it, faults included."""
    table = pq.read_table(rows.train)
    characters = [sum(len(turn["content"]) for turn in turns) for turns in table["messages"].to_pylist()]
    pq.write_table(table.take(sample.chosen(characters, recipe.seed)), folder / "sample.parquet")
    _, counts = tokens.dataset(
        folder / "sample.parquet",
        tokenizer,
        max_length=recipe.max_length,
        truncation=recipe.truncation,
        readable=readable,
    )
    return counts


if __name__ == "__main__":
    sys.exit(apart.main(look))
