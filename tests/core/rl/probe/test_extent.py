"""Between which rewards all answers lie."""

from pathlib import Path

import pytest

from core.recipe import load
from core.reward.plain import plain
from core.reward.recipe import Recipe
from core.reward.sample import Sample
from core.reward.scorer import Scorer
from core.reward.spec import Reward
from core.rl.probe.extent import of_reward

RECIPES = Path(__file__).parents[4] / "recipes" / "reward"


@pytest.mark.parametrize(
    ("name", "extent"),
    [
        ("deepretrieval-literature", (-4, 6)),  # format -4 alone; 1 + 5
        ("deepretrieval-ir", (-2, 1.1)),
        ("rewriting", (-0.1, 1.1)),
        ("search-r1-format", (0, 1)),
        ("finance-process-outcome", (0, 2.5)),
        ("tiny", (-0.3, 1.2)),  # in form and too long 0.2 - 0.5; 0.2 + 0.5 + 0.5
    ],
)
def test_the_shipped_rewards(name, extent):
    assert of_reward(load(RECIPES / f"{name}.yaml", Recipe)) == pytest.approx(extent)


def test_a_function_of_the_users_may_give_anything():
    assert of_reward(Reward.model_validate({"parts": [{"type": "python", "file": "mine.py"}]})) is None


def test_a_weight_below_zero_turns_a_part_round():
    parts = [{"type": "f1", "weight": -2}, {"type": "length", "penalty": -1}]
    assert of_reward(Reward.model_validate({"parts": parts})) == (-3, 0)


def test_what_the_scorer_gives_lies_between_and_reaches_both_ends():
    reward = Reward.model_validate({
        "parts": [{"type": "format", "good": 0.2, "bad": -0.2, "answer": "text"}, {"type": "f1", "weight": 0.5}]
    })  # fmt: skip
    with Scorer(plain(reward)) as scorer:
        said = ("none", "<think>t</think><answer>x</answer>", "<think>t</think><answer>y</answer>")
        totals = [item.total for item in scorer.score([Sample("q", response, "x") for response in said])]
    assert (min(totals), max(totals)) == of_reward(reward) == (-0.2, 0.7)
