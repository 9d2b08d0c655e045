"""What to try when a training by rewards goes wrong, as overrides: the remedies of the sources, the likeliest first."""

from collections.abc import Iterator

from core.artifact.files import beside
from core.memory import Knob
from core.recipe.remedies import Line
from core.rl.recipe import Recipe
from core.tuning.spec import Trl
from core.tuning.watch import advice
from core.tuning.watch.advice import no_number, slower

__all__ = ["collapsed", "flat", "format_lost", "knobs", "no_number", "no_variance", "reward", "warm_up"]

HOTTEST = 1.0
"""Temperature that is proposed where answers are too much alike."""


def reward(recipe: Recipe) -> str:
    """The first thing to check, which no override mends."""
    rollouts = beside(recipe.out, "partial") / "logs/rollouts.jsonl"
    return (
        f"first check the reward: `dr reward replay REWARD.yaml {rollouts}` shows what each part gave; "
        "read some of the answers"
    )


def warm_up(recipe: Recipe) -> str:
    """And the last: another model to begin with."""
    return f"{reward(recipe)}; or warm up first: `dr sft train` on rows of the same prompts, then model.path=ITS_OUT"


def collapsed(recipe: Recipe) -> Iterator[Line]:
    """For a reward that is lost again."""
    yield slower(recipe, "smaller steps")
    yield _closer(recipe)
    if recipe.mini_batch_size is not None:
        yield "mini_batch_size=null", f"now {recipe.mini_batch_size}: one change of the weights a step"
    if recipe.algorithm.clip > 0.1:
        yield "algorithm.clip=0.1", f"now {recipe.algorithm.clip:g}: less change by one batch"


def flat(recipe: Recipe) -> Iterator[Line]:
    """For a reward that does not rise."""
    yield slower(recipe, "source A's step for a flat reward, against steps that undo each other")
    yield f"batch_size={2 * recipe.batch_size}", f"now {recipe.batch_size}: steadier steps"
    yield from _wider(recipe)


def format_lost(recipe: Recipe, truncated: float) -> Iterator[Line]:
    """For a model that forgets the form; `truncated` is the share of answers that were cut off."""
    length = recipe.generation.max_new_tokens
    if truncated >= 0.5:
        yield f"generation.max_new_tokens={2 * length}", f"now {length}: {truncated:.0%} of the answers are cut off"
    yield slower(recipe, "smaller steps")
    yield _closer(recipe)
    if recipe.schedule.warm_up_steps is None and recipe.schedule.warm_up < 0.1:
        yield "schedule.warm_up=0.1", f"now {recipe.schedule.warm_up:g}: smaller first steps"


def no_variance(recipe: Recipe) -> Iterator[Line]:
    """For groups that earn the same."""
    yield from _wider(recipe)
    yield "data.sets.0.rows=OTHER_ROWS", "harder queries where all succeed, easier ones where all fail"


def knobs(recipe: Recipe) -> list[Knob]:
    """What decides how much memory the training needs: that of any fine-tuning, and lengths and groups."""
    generation, algorithm = recipe.generation, recipe.algorithm
    together = Knob.halved("batch_size", recipe.batch_size, "prompts that are answered at a time")
    return [
        *advice.knobs(recipe, (recipe.mini_batch_size or recipe.batch_size) * algorithm.group_size),
        *([together] if isinstance(recipe.trainer, Trl) and recipe.mini_batch_size is None else ()),
        Knob.halved("generation.max_new_tokens", generation.max_new_tokens, "longer answers are cut", least=64),
        Knob.halved("algorithm.group_size", algorithm.group_size, "answers to a prompt", least=2),
        Knob("algorithm.kl", algorithm.kl, 0.0, "without it no second copy of the model is kept"),
    ]


def _closer(recipe: Recipe) -> Line:
    kl = recipe.algorithm.kl
    more = 10 * kl or 0.001
    return f"algorithm.kl={more:g}", f"now {kl:g}: stay closer to the model before training"


def _wider(recipe: Recipe) -> Iterator[Line]:
    """More different answers to a prompt."""
    temperature, size = recipe.generation.temperature, recipe.algorithm.group_size
    if temperature < HOTTEST:
        yield f"generation.temperature={HOTTEST:g}", f"now {temperature:g}: answers differ more"
    yield f"algorithm.group_size={2 * size}", f"now {size}: more answers to tell apart"
