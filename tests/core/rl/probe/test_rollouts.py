"""What a trainer would see of an answer, and the original query in the same form."""

import pytest

from core.llm.chat import Answer
from core.reward.plain import plain
from core.reward.sample import Sample
from core.reward.scorer import Scorer
from core.reward.spec import Reward
from core.rl.probe.asking import response
from core.rl.probe.rollouts import unchanged


def said(text, reasoning="", finish="stop"):
    return Answer(text, reasoning, 1, 1, finish)


def test_thoughts_stand_before_the_answer_again():
    assert response(said("<answer>a</answer>", "t"), prefilled=False) == "<think>t</think><answer>a</answer>"
    assert response(said("<answer>a</answer>", "t"), prefilled=True) == "t</think><answer>a</answer>"


def test_thoughts_that_were_cut_off_are_not_ended():
    assert response(said("", "t", "length"), prefilled=False) == "<think>t"


@pytest.mark.parametrize("prefilled", [False, True])
@pytest.mark.parametrize("steps", [0, 3])
@pytest.mark.parametrize("key", ["query", "search"])
def test_an_original_query_keeps_the_form_whatever_form_is_asked_for(prefilled, steps, key):
    parts = [{"type": "format", "good": 1, "bad": -4, "min_steps": steps, "max_steps": 3}]
    reward = Reward.model_validate({"parts": parts, "prefilled_think": prefilled, "answer_key": key})
    query = '他说 "be }" \\ </s> 5'
    with Scorer(plain(reward)) as scorer:
        (scored,) = scorer.score([Sample(query, unchanged(reward, query), "x")])
    assert scored.total == 1, scored.why
