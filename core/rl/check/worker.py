"""The process that looks at a training by rewards before it starts: `python -m core.rl.check.worker FOLDER`."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from trl.trainer.grpo_config import GRPOConfig

from core.llm.checkpoint import differs
from core.reward import plain
from core.reward.parts.spec import Graded
from core.rl import searching
from core.rl.check import asking, paying
from core.rl.recipe import Recipe
from core.rl.trl import questions
from core.rl.trl.launch import steps, steps_an_epoch
from core.rl.trl.worker import OURS
from core.rl.verl.train import check as check_verl
from core.rl.verl.train import ready
from core.tuning.check import apart, machine
from core.tuning.models import start
from core.tuning.models.load import Loaded, tokenizer_of
from core.tuning.rows.compose import compose, texts
from core.tuning.rows.composed import Composed
from core.tuning.spec import Pretrained, Verl
from core.tuning.trl.arguments import common, made, micro_batches
from core.tuning.verl import keys


def look(given: dict[str, Any], folder: Path) -> Iterator[str]:
    """What is seen, a line each, what is cheap first; `folder` is scratch."""
    recipe = Recipe.model_validate(given)
    rows = compose(recipe.data, "rl", folder / "rows", recipe.seed)
    yield f"rows: {rows.count:,} an epoch, {rows.held_out_count:,} held out"
    searching.check_operators(recipe, rows.prompts)
    number, epoch = trainer(recipe, rows, folder)
    name = start.begin(recipe.model, lambda: texts(rows), folder, recipe.seed)
    trusted = isinstance(recipe.model, Pretrained) and recipe.model.trust_remote_code
    tokenizer, model = tokenizer_of(name, trust_remote_code=trusted), machine.empty(name, trust_remote_code=trusted)
    if isinstance(recipe.model, Pretrained) and (others := differs(recipe.model.path, rows.prompts)):
        yield f"{apart.WARNING}{others}"
    size = machine.size(recipe.model, model)
    yield f"model: {machine.told(recipe.model, size)}"
    found = questions.read(rows.train, rows.held_out)
    yield from asking.look(recipe, found, Loaded(model, tokenizer, None), name, folder)
    yield estimate(recipe, number)
    yield from machine.check_disk(recipe.out, _with_critic(recipe, size), recipe.checkpoints, number, epoch)
    if isinstance(recipe.trainer, Verl):
        plain.write(recipe.reward, folder / "reward.json")
        yield from check_verl(recipe, rows, folder, reward=folder / "reward.json")
    yield from paying.look(recipe, found.samples, folder)


def trainer(recipe: Recipe, rows: Composed, folder: Path) -> tuple[int, int]:
    """Steps of the training and of an epoch, where the trainer can be had and batches can be cut as the recipe says.

    Raises:
        Missing, RecipeError: it is not so.
    """
    if isinstance(recipe.trainer, Verl):
        ready(recipe)
        return keys.steps(rows.count, recipe.batch_size, recipe.epochs, recipe.steps)
    updates = recipe.batch_size // (recipe.mini_batch_size or recipe.batch_size)
    micro_batches(recipe, recipe.batch_size * recipe.algorithm.group_size // updates)
    made(GRPOConfig, common(recipe, 1, folder / "trl"), recipe.trainer.overrides, OURS)
    return steps(recipe, rows.count), steps_an_epoch(recipe, rows.count)


def estimate(recipe: Recipe, number: int) -> str:
    """What so many steps will ask for."""
    size = recipe.algorithm.group_size
    answers = number * recipe.batch_size * size
    judges = sum(isinstance(part, Graded) for part in recipe.reward.parts)
    graded = f", up to {answers * judges:,} questions to judges" if judges else ""
    return (
        f"estimate: {number:,} steps x {recipe.batch_size:,} prompts x {size} answers = {answers:,} answers, "
        f"at most {answers * recipe.generation.max_new_tokens:,} tokens{graded}"
    )


def _with_critic(recipe: Recipe, size: machine.Size) -> machine.Size:
    """PPO's critic is saved beside the model, all of its weights trained."""
    return machine.Size(size.all, size.trained + size.all) if recipe.algorithm.type == "ppo" else size


if __name__ == "__main__":
    sys.exit(apart.main(look))
