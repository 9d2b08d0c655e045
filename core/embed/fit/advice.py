"""What to try when a training goes wrong, as override lines: rate, epochs, weights and data, as the sources say."""

from core.embed.recipe import Recipe
from core.recipe.remedies import Line, told


def no_number(recipe: Recipe) -> str:
    """For a loss that is NaN or infinite."""
    lines = [_slower(recipe, "smaller steps")]
    if recipe.max_grad_norm is None:
        lines.append(("max_grad_norm=1", "cuts what a single batch can do"))
    if recipe.loss.type in {"infonce", "kl"}:
        lines.append((f"loss.temperature={recipe.loss.temperature * 2:g}", "smaller logits"))
    if recipe.machine.precision == "bf16":
        lines.append(("machine.precision=fp32", "more exact numbers"))
    return told(lines, _data(recipe))


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
    return told(lines, _data(recipe))


def flat(recipe: Recipe) -> str:
    """For a loss that does not fall."""
    rate = recipe.highest_rate
    lines = [
        (f"learning_rate={rate * 3:g}", f"now {rate:g}: larger steps; {rate / 10:g} where the loss jumps"),
        (f"epochs={recipe.epochs * 2}", f"now {recipe.epochs}: more passes"),
    ]
    if recipe.gradient_accumulation == 1:
        lines.append(("gradient_accumulation=4", "steadier steps"))
    return told(lines, _data(recipe))


def _slower(recipe: Recipe, why: str) -> Line:
    return f"learning_rate={recipe.highest_rate / 10:g}", f"now {recipe.highest_rate:g}: {why}"


def _data(recipe: Recipe) -> str:
    """What to look at in the rows, which no override can mend."""
    if recipe.loss.type == "weighted_mse":
        return "and look at the data: `rel` must say what it should, and no few rows have nearly all of the `weight`"
    return "and look at the data: each query's positive must answer it, and its negatives must not"
