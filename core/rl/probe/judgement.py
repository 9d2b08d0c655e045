"""What to make of the numbers, in words, with the overrides that would change them."""

from collections.abc import Mapping
from typing import Any

from core.reward.parts.spec import Ndcg, Recall, RecallTiers
from core.rl.probe.recipe import Bounds, Recipe

GO_ON = "go on"
NO_FORMAT = "the model cannot write the format"
LITTLE_ROOM = "little room left"
NO_VARIANCE = "no variance"
NO_GAIN = "no gain in reach"

HOTTER = 1.0
"""Temperature that is proposed where the answers are too much alike."""


def judge(recipe: Recipe, numbers: Mapping[str, Any]) -> dict[str, Any]:
    """`verdict`, `why` in a sentence, and `try`: lines that may help, such as overrides of this recipe."""
    verdict, why, lines = _found(recipe, recipe.verdict, numbers)
    return {"verdict": verdict, "why": why, "try": lines}


def _found(recipe: Recipe, bounds: Bounds, numbers: Mapping[str, Any]) -> tuple[str, str, list[str]]:
    unusable, flat = numbers["unusable_share"], numbers["groups"]["without_variance"]
    room, best = numbers["headroom_share"], numbers["best_of"][-1]
    against = best.get("against_original")
    if unusable > bounds.most_unusable:
        reasons = ", ".join(f"{count} × {reason}" for reason, count in numbers["unusable"].items())
        why = f"{unusable:.1%} of the answers are of no use ({reasons}): fine-tune it on rows of the form first (SFT)"
        return NO_FORMAT, why, _for_format(recipe, numbers)
    if room is not None and room < bounds.least_headroom:
        why = f"{numbers['headroom']:.4g} lies between now and the highest reward, {room:.1%} of its range"
        return LITTLE_ROOM, f"{why}: take harder queries, or a reward that tells more apart", _harder(recipe)
    if flat > bounds.most_without_variance:
        why = f"in {flat:.1%} of the groups all rewards are the same, and GRPO learns nothing from them"
        return NO_VARIANCE, f"{why}: raise the temperature, draw more answers, or take other queries", _livelier(recipe)
    if against is not None and (against["difference"] <= 0 or against["verdict"] != "better"):
        why = f"the best of {best['n']} against the original query: {_interval(against)}"
        return NO_GAIN, f"{why}: no better than luck may be", [*_livelier(recipe), "max_queries=null"]
    why = f"{1 - flat:.1%} of the groups tell their answers apart"
    if against is not None:
        why += f", and the best of {best['n']} differs from the original query by {_interval(against)}"
    return GO_ON, why, []


def _interval(against: Mapping[str, Any]) -> str:
    """A difference with its 95 % interval."""
    return f"{against['difference']:+.4f} ({against['low']:+.4f} to {against['high']:+.4f})"


def _for_format(recipe: Recipe, numbers: Mapping[str, Any]) -> list[str]:
    cut = numbers["unusable"].get("cut off", 0) / max(1, sum(numbers["unusable"].values()))
    return [f"llm.max_tokens={2 * recipe.llm.max_tokens}"] if cut >= 1 / 2 else []


def _harder(recipe: Recipe) -> list[str]:
    """Parts that search less deep leave more to win."""
    return [
        f"reward.parts.{number}.k={part.k // 2}"
        for number, part in enumerate(recipe.reward.parts)
        if isinstance(part, RecallTiers | Recall | Ndcg) and part.k > 1
    ]


def _livelier(recipe: Recipe) -> list[str]:
    hotter = [f"llm.temperature={HOTTER}"] if recipe.llm.temperature < HOTTER else []
    return [*hotter, f"samples={2 * recipe.samples}"]
