"""The numbers of a report where some answers have none."""

from dataclasses import replace

import pytest

from core.errors import DrError
from core.reward.sample import Sample, Scored
from core.rl.probe.measure import measured
from core.rl.probe.questions import Question
from core.rl.probe.rollouts import Rollout


def rollouts(id_, *totals):
    question = Question(id_, (), Sample("", "", ""))
    scored = [Scored(t, {"p": t or 0.0}, {}, {}, "q", "" if t is not None else "the judge failed") for t in totals]
    return [Rollout(question, n, question.sample, item, "", format_lost=False) for n, item in enumerate(scored)]


def test_a_sample_that_the_judge_failed_at_is_no_zero_and_its_group_has_no_best():
    found = [*rollouts("a", 1.0, None), *rollouts("b", 0.5, 0.0), *rollouts("c", 0.25)]
    numbers = measured(found, [*rollouts("a", 0.0), *rollouts("b", 0.1), *rollouts("c", 0.0)], 2, (0, 1), seed=0)
    assert (numbers["answers"], numbers["excluded"], numbers["whole_groups"]) == (5, 1, 1)
    assert numbers["mean"] == pytest.approx((1 + 0.5 + 0 + 0.25) / 4)
    # b alone is whole
    assert numbers["original"] == 0.1
    best = numbers["best_of"][-1]
    assert (best["n"], best["mean"], best["against_original"]["difference"]) == (2, 0.5, pytest.approx(0.4))


def test_variance_that_is_only_of_the_form_is_told_apart():
    lost = [replace(rollout, format_lost=True) for rollout in rollouts("a", -1.0)]
    found = [*rollouts("a", 0.1, 0.1), *lost, *rollouts("b", 0.1, 0.1, 1.1)]
    groups = measured(found, [], 3, None, seed=0)["groups"]
    assert (groups["without_variance"], groups["without_variance_in_form"]) == (0, 0.5)


def test_where_no_group_is_whole_there_is_no_report():
    with pytest.raises(DrError, match="no query has all of its 3 answers scored"):
        measured(rollouts("a", 1.0, None), [], 3, None, seed=0)


def test_without_an_extent_there_is_no_head_room():
    numbers = measured(rollouts("a", 1.0, 0.0), [], 2, None, seed=0)
    assert (numbers["headroom"], numbers["headroom_share"], numbers["original"]) == (None, None, None)
    assert numbers["groups"]["all_at_the_highest"] is None
