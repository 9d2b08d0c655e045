"""What to try when a training goes wrong, as override lines: rate, epochs, weights and data, as the sources say."""

import math
from collections.abc import Sequence
from statistics import mean, variance

from core.embed.recipe import Recipe

FEW = 12
"""Fewer values of the loss than this show no trend."""

Line = tuple[str, str]
"""An override, and why."""


def no_number(recipe: Recipe) -> str:
    """For a loss that is NaN or infinite."""
    lines = [_slower(recipe, "smaller steps")]
    if recipe.max_grad_norm is None:
        lines.append(("max_grad_norm=1", "cuts what a single batch can do"))
    if recipe.loss.type in {"infonce", "kl"}:
        lines.append((f"loss.temperature={recipe.loss.temperature * 2:g}", "smaller logits"))
    if recipe.machine.precision == "bf16":
        lines.append(("machine.precision=fp32", "more exact numbers"))
    return _told(lines, _data(recipe))


def collapsed(recipe: Recipe) -> str:
    """For a model that finds less and less of what is held out."""
    lines = [_slower(recipe, "smaller steps change less of what the model knew")]
    if recipe.warm_up_steps is None and recipe.warm_up < 0.2:
        lines.append(("warm_up=0.2", "smaller first steps"))
    if recipe.epochs > 1:
        lines.append((f"epochs={recipe.epochs // 2}", f"now {recipe.epochs}: fewer passes over the same rows"))
    if recipe.loss.type == "infonce" and recipe.loss.false_negative_margin is None:
        lines.append(("loss.false_negative_margin=0", "negatives that are positives do not count"))
    lines.append(("canary=null", "trains on whatever happens"))
    return _told(lines, _data(recipe))


def flat(recipe: Recipe) -> str:
    """For a loss that does not fall."""
    rate = recipe.highest_rate
    lines = [
        (f"learning_rate={rate * 3:g}", f"now {rate:g}: larger steps; {rate / 10:g} where the loss jumps"),
        (f"epochs={recipe.epochs * 2}", f"now {recipe.epochs}: more passes"),
    ]
    if recipe.gradient_accumulation == 1:
        lines.append(("gradient_accumulation=4", "steadier steps"))
    return _told(lines, _data(recipe))


def falls(losses: Sequence[float]) -> bool:
    """Whether the last quarter of a training's losses is lower than the first by more than the standard error of that
    difference; true where they are too few to tell."""
    if len(losses) < FEW:
        return True
    quarter = len(losses) // 4
    first, last = losses[:quarter], losses[-quarter:]
    error = math.sqrt((variance(first) + variance(last)) / quarter)
    return mean(first) - mean(last) > error


def _slower(recipe: Recipe, why: str) -> Line:
    return f"learning_rate={recipe.highest_rate / 10:g}", f"now {recipe.highest_rate:g}: {why}"


def _data(recipe: Recipe) -> str:
    """What to look at in the rows, which no override can mend."""
    if recipe.loss.type == "weighted_mse":
        return "and look at the data: `rel` must say what it should, and no few rows have nearly all of the `weight`"
    return "and look at the data: each query's positive must answer it, and its negatives must not"


def _told(lines: Sequence[Line], data: str) -> str:
    width = max(len(override) for override, _ in lines)
    told = [f"  {override:<{width}}  # {why}" for override, why in lines]
    start = "run it again with --force and one of these after the recipe, the first ones first:"
    return "\n".join([start, *told, data])
