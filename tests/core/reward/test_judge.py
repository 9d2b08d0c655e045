"""A judge is asked once for a question, and its failure is no 0."""

import time

import pytest

from core.remote.faults import ServiceFailed
from core.reward.sample import Sample
from core.reward.services.judge import grade


@pytest.fixture
def graded(services, scorer, prompt):
    """Make a scorer with one judge, which sees the answer alone."""

    def make(*, template="$answer", kind="semantic_match", reward=None, services=services, **judge):
        part = {"type": kind, "prompt": prompt(template), "judge": {**services.judge, **judge}}
        return scorer(part, **(reward or {}))

    return make


def answers(*texts):
    return [Sample("q", f"<think>t</think><answer>{text}</answer>", "true") for text in texts]


def test_a_grade_becomes_a_value_between_0_and_1(graded):
    scored = graded().score(answers("0", "7", "8.5", "10"))
    assert [item.total for item in scored] == [0, 0.7, 0.85, 1]


def test_another_scale_is_stretched(graded):
    assert graded(lowest=1, highest=5).score(answers("3"))[0].total == 0.5


@pytest.mark.parametrize(
    ("text", "number"),
    [("8", 8), (" 8.5 ", 8.5), ("8/10", 8), ("8 / 10.", 8), ("8分", 8), ("Score: 8", 8), ("评分：8", 8), ("**8**", 8),
     ('{"score": 8}', 8), ("<think>hm 3</think>\n8", 8), ("0", 0), ("10", 10)],
)  # fmt: skip
def test_a_grade_is_a_number_with_a_label_at_most(text, number):
    assert grade(text, 0, 10) == number


@pytest.mark.parametrize(
    "text", ["eight", "八", "", "I would say 8", "8 or 9", "11", "-1", "8/5", "10 points because", '{"score": true}',
             '{"score": null}', "{", "NaN", "1e1"],
)  # fmt: skip
def test_prose_and_numbers_out_of_range_are_no_grade(text):
    assert grade(text, 0, 10) is None


def test_a_judge_that_says_eight_is_asked_again_for_a_number(graded, services):
    services.fail("eight")
    assert graded().score(answers("8"))[0].total == 0.8
    first, second = services.asked()
    assert [message["role"] for message in first["body"]["messages"]] == ["user"]
    assert second["body"]["messages"][-1]["content"].startswith("Answer with one number from 0 to 10")


def test_a_judge_that_always_says_eight_has_failed_and_has_not_judged_0(graded, services):
    services.fail("always eight")
    with pytest.raises(ServiceFailed, match=r"no grade from 0 to 10: 'eight'") as caught:
        graded().score(answers("8"))
    assert caught.value.exit_code == 3
    assert len(services.asked()) == 3


@pytest.mark.parametrize("fault", ["500", "503", "429", "drop", "short", "html"])
def test_a_failure_that_passes_is_passed_over(graded, services, fault):
    services.fail(fault)
    assert graded().score(answers("8"))[0].total == 0.8


def test_one_failure_stops_the_batch(graded, services):
    services.fail("always 500")
    with pytest.raises(ServiceFailed):
        graded(concurrency=2, give_up_seconds=1).score(answers(*(f"{n / 10}" for n in range(90))))
    assert len(services.asked()) < 20  # those in the queue were not asked any more


def test_a_failed_sample_is_left_out_where_the_reward_says_so(graded):
    scored = graded(reward={"on_failure": "exclude", "most_excluded": 0.5}, give_up_seconds=1).score(
        answers("8", "SAY eight", "9")
    )
    assert [item.total for item in scored] == [0.8, None, 0.9]
    assert "'eight'" in scored[1].excluded
    with pytest.raises(ValueError, match="has no score"):
        scored[1].as_numbers()


def test_more_failures_than_may_be_left_out_stop_the_run(graded):
    reward = graded(reward={"on_failure": "exclude", "most_excluded": 0.3}, give_up_seconds=1)
    with pytest.raises(ServiceFailed, match="'eight'"):
        reward.score(answers("8", "SAY eight", "9"))


def test_a_judge_that_is_gone_stops_the_run_even_so(graded, own_services):
    reward = graded(services=own_services, reward={"on_failure": "exclude", "most_excluded": 1}, give_up_seconds=2)
    assert reward.score(answers("8"))[0].total == 0.8
    own_services.kill()
    started = time.monotonic()
    with pytest.raises(ServiceFailed, match="judge"):
        reward.score(answers(*(f"{n / 10}" for n in range(90))))
    assert time.monotonic() - started < 10


def test_a_judge_that_answers_nobody_well_is_given_up(graded, services):
    services.fail("always 500")
    reward = graded(reward={"on_failure": "exclude", "most_excluded": 1}, give_up_seconds=0.3, concurrency=2)
    with pytest.raises(ServiceFailed):
        reward.score(answers(*(f"{n / 10}" for n in range(90))))
    assert len(services.asked()) < 100


def test_the_same_question_is_asked_once(graded, services):
    reward = graded()
    reward.score(answers("8", "8", "8"))
    reward.score(answers("8"))
    assert len(services.asked()) == 1


def test_grades_outlive_the_run_in_a_cache_that_may_be_torn(graded, services, tmp_path):
    cache = tmp_path / "grades.jsonl"
    graded(cache=str(cache)).score(answers("7", "8"))
    cache.write_bytes(cache.read_bytes() + b'{"digest": "ab')
    services.asked()
    assert [item.total for item in graded(cache=str(cache)).score(answers("8", "7"))] == [0.8, 0.7]
    assert services.asked() == []


def test_without_an_answer_nobody_is_asked(graded, services):
    (item,) = graded().score([Sample("q", "<think>t</think>", "true")])
    assert (item.total, item.why) == (0, {"semantic_match": "no answer"})
    assert services.asked() == []


def test_the_process_is_judged_by_the_thoughts(graded, services):
    (item,) = graded(kind="process_judge", template="$question $truth $thoughts SAY 6").score(
        [Sample("why?", "<think>since</think><answer>B</answer>", '{"target": ["B", "b"]}')]
    )
    assert item.total == 0.6
    assert services.asked()[0]["body"]["messages"][0]["content"] == "why? B; b since SAY 6"


def test_what_is_sent_is_what_the_recipe_says(graded, services):
    graded(temperature=0.5, max_tokens=99, thinking=False).score(answers("8"))
    (note,) = services.asked()
    assert note["path"] == "/v1/chat/completions"
    assert {name: note["body"][name] for name in ("model", "temperature", "max_tokens", "chat_template_kwargs")} == {
        "model": "double", "temperature": 0.5, "max_tokens": 99, "chat_template_kwargs": {"enable_thinking": False},
    }  # fmt: skip


def test_requests_keep_the_account_s_pace(graded, services):
    graded(requests_per_minute=600).score(answers("1", "2", "3", "4"))
    times = sorted(note["at"] for note in services.asked())
    assert times[-1] - times[0] >= 0.25  # three gaps of 0.1 s
