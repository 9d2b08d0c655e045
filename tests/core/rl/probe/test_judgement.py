"""The verdict, case by case."""

import pytest

from core.rl.probe.judgement import GO_ON, LITTLE_ROOM, NO_FORMAT, NO_GAIN, NO_VARIANCE, judge
from core.rl.probe.recipe import Recipe, Training
from core.rl.probe.training import Pace, steps, tell

RECIPE = Recipe.model_validate({
    "stage": "probe",
    "out": "artifacts/my/probe",
    "queries": {"type": "corpus", "data": "data"},
    "samples": 8,
    "llm": {"server": {"type": "openai"}},
    "reward": {"parts": [{"type": "format"}, {"type": "recall", "k": 10}]},
})  # fmt: skip


def numbers(*, unusable=0.1, share=0.5, flat=0.2, difference=0.3, verdict="better", reasons=None):
    against = {"difference": difference, "low": difference - 0.1, "high": difference + 0.1, "verdict": verdict}
    return {
        "unusable_share": unusable,
        "unusable": reasons or {"no answer": 3},
        "groups": {"without_variance": flat},
        "headroom": 1.0,
        "headroom_share": share,
        "best_of": [{"n": 1}, {"n": 8, "against_original": against}],
    }


@pytest.mark.parametrize(
    ("changed", "verdict", "lines"),
    [
        ({}, GO_ON, []),
        ({"unusable": 0.21}, NO_FORMAT, []),
        ({"unusable": 0.3, "reasons": {"cut off": 2, "no answer": 1}}, NO_FORMAT, ["llm.max_tokens=1024"]),
        ({"share": 0.09}, LITTLE_ROOM, ["reward.parts.1.k=5"]),
        ({"share": None}, GO_ON, []),
        ({"flat": 0.51}, NO_VARIANCE, ["llm.temperature=1.0", "samples=16"]),
        ({"verdict": "no significant difference"}, NO_GAIN, ["llm.temperature=1.0", "samples=16", "max_queries=null"]),
        ({"difference": -0.3, "verdict": "worse"}, NO_GAIN, ["llm.temperature=1.0", "samples=16", "max_queries=null"]),
    ],
)
def test_the_verdict_and_what_to_try(changed, verdict, lines):
    found = judge(RECIPE, numbers(**changed))
    assert (found["verdict"], found["try"]) == (verdict, lines)


def test_the_bounds_are_the_recipes():
    strict = RECIPE.model_copy(update={"verdict": RECIPE.verdict.model_copy(update={"most_unusable": 0.05})})
    assert judge(strict, numbers())["verdict"] == NO_FORMAT


def test_a_training_is_steps_times_prompts_times_answers():
    # 3 epochs of 1,000 rows in steps of 64: 46.9, so 47; 47 x 64 x 5 = 15,040 answers
    assert steps(Training(), 1000) == 47
    told = tell(Training(), 1000, Pace(prompt_tokens=100, answer_tokens=20.5, answer_seconds=0.36, reward_seconds=0.09))
    assert (told.rollouts, told.prompt_tokens, told.answer_tokens) == (15_040, 1_504_000, 308_320)
    assert (told.answer_hours, told.reward_hours) == pytest.approx((1.504, 0.376))
    assert steps(Training(steps=7), 1000) == 7
