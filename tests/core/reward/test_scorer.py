"""Parts become a total; every sample has the same keys."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.errors import ContractError, Missing
from core.reward.faults import BadTruth
from core.reward.sample import Sample
from core.reward.scorer import Scorer

FORMAT = {"type": "format", "good": 1, "bad": -4, "answer": "text"}
MATCH = {"type": "exact_match", "weight": 2}
GOOD, WRONG, BAD = "<think>t</think><answer>x</answer>", "<think>t</think><answer>y</answer>", "x"


def totals(reward, *responses):
    return [item.total for item in reward.score([Sample("q", response, "x") for response in responses])]


def test_a_total_is_the_sum_of_the_weighted_values(scorer):
    assert totals(scorer(FORMAT, MATCH), GOOD, WRONG) == [1 + 2 * 1, 1 + 2 * 0]


def test_a_bad_format_ends_it_or_is_one_part_of_it(scorer):
    answered = "<answer>x</answer>"
    assert totals(scorer(FORMAT, MATCH), answered) == [-4]
    assert totals(scorer({**FORMAT, "ends": False}, MATCH), answered) == [-4 + 2]


def test_the_format_decides_wherever_it_stands(scorer):
    (item,) = scorer(MATCH, FORMAT).score([Sample("q", BAD, "x")])
    assert item.total == -4
    assert list(item.parts) == ["exact_match", "format"]
    assert item.why == {"exact_match": "not asked: bad format", "format": "tags not once and in order"}


def test_a_format_may_count_only_with_an_answer(scorer):
    assert totals(scorer({**FORMAT, "only_with_answer": True}, MATCH), GOOD, WRONG, BAD) == [3, 0, -4]


def test_steps_may_belong_to_the_format(scorer):
    reward = scorer({**FORMAT, "min_steps": 1, "max_steps": 2})
    responses = [GOOD.replace("t<", "".join(f"\nStep {n}: x" for n in range(count)) + "<") for count in range(4)]
    assert totals(reward, *responses) == [-4, 1, 1, -4]


def test_a_prefilled_tag_is_told_once_for_all_parts(scorer):
    response = "t</think><answer>x</answer>"
    assert totals(scorer(FORMAT, prefilled_think=True), response, GOOD) == [1, -4]
    assert totals(scorer(FORMAT), response, GOOD) == [-4, 1]


PARTS = [
    FORMAT, MATCH, {"type": "f1"}, {"type": "length", "most": 5}, {"type": "format_pieces"},
    {"type": "tool_use"}, {"type": "recall", "k": 2}, {"type": "diversity"}, {"type": "recall_tiers", "k": 5},
]  # fmt: skip


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(st.lists(st.sampled_from([GOOD, WRONG, BAD, "", '<answer>{"query": "d1"}</answer>', "<think>"]), min_size=1))
def test_every_sample_has_the_same_keys_and_numbers_only(scorer, responses):
    reward = scorer(*PARTS)
    for item in reward.score([Sample("q", response, '{"target": ["x"]}') for response in responses]):
        numbers = item.as_numbers()
        assert list(numbers) == reward.keys
        assert {type(number) for number in numbers.values()} <= {int, float}


def test_two_parts_of_a_type_have_names(scorer):
    parts = [{"type": "recall", "k": 1, "name": "first"}, {"type": "recall", "k": 10, "name": "tenth", "weight": 0}]
    (item,) = scorer(*parts).score([Sample("q", '<answer>{"query": "a d1"}</answer>', "d1")])
    assert item.parts == {"first": 0, "tenth": 1}
    assert item.facts == {"first/recall": 0, "tenth/recall": 1}


def test_no_sample_is_no_score_and_no_error(scorer):
    assert scorer(*PARTS).score([]) == []


def test_documents_that_repeat_each_other_are_not_diverse(scorer):
    reward = scorer({"type": "diversity", "k": 3})

    def value(query):
        return reward.score([Sample("q", f'<answer>{{"query": "{query}"}}</answer>', "")])[0].total

    assert value("a=one_two b=one_two") == 0
    assert value("a=one_two b=three_four") == 1
    # overlaps: {1,2} and {2,3}: 1/3; {1,2} and {4,5}: 0; {2,3} and {4,5}: 0 -> 1 - 1/9
    assert value("a=k1_k2 b=k2_k3 c=k4_k5") == pytest.approx(1 - 1 / 9)
    assert value("a=one") == 0


def test_rows_without_labels_may_be_valued_by_diversity(scorer):
    reward = scorer({"type": "recall", "unlabelled": "diversity"})
    response = '<answer>{"query": "a=one b=two"}</answer>'
    rows = [Sample("q", response, truth) for truth in ('["a", "c"]', "", None, "[]", {})]
    assert [item.total for item in reward.score(rows)] == [0.5, 1, 1, 1, 1]
    assert reward.check(rows) == []


@pytest.mark.parametrize(("words", "value"), [(3, 0), (6, 0), (8, -0.5), (10, -1), (12, -1), (1, -1)])
def test_a_length_costs_more_the_nearer_it_comes_to_its_bound(scorer, words, value):
    # free up to 10 - 4 = 6 words; from there a quarter of the penalty for each
    reward = scorer({"type": "length", "least": 2, "most": 10, "buffer": 4})
    assert reward.score([Sample("q", "w " * words, "x")])[0].total == value


def test_chinese_is_measured_by_its_characters(scorer):
    (item,) = scorer({"type": "length", "most": 3}).score([Sample("q", "基金的净值", "x")])
    assert (item.total, item.facts) == (-1, {"length/units": 5})


@pytest.mark.parametrize(
    ("truth", "what"),
    [("{}", "no relevant document"), ('{"d1": 0}', "no relevant document"), ("[]", "no relevant"), (None, "no set of"),
     ('{"d1": "high"}', "no set of documents"), ('{"target": []}', "no relevant")],
)  # fmt: skip
def test_a_ground_truth_without_relevant_documents_is_refused(scorer, truth, what):
    reward, row = scorer({"type": "recall"}), Sample("q", '<answer>{"query": "a"}</answer>', truth, where="rows:7")
    with pytest.raises(BadTruth, match=what) as caught:
        reward.score([row])
    assert caught.value.where == "rows:7"
    assert [fault.where for fault in reward.check([row, Sample("q", "", "d1")])] == ["rows:7"]


@pytest.mark.parametrize(
    "truth", ['{"d1": 2, "d7": null}', '["d1"]', '{"target": ["d1"]}', '{"target": ["d1"], "score": [2]}', "d1",
              {"d1": 1.0}, ["d1"], ("d1",)],
)  # fmt: skip
def test_relevant_documents_are_told_in_many_forms(scorer, truth):
    (item,) = scorer({"type": "recall"}).score([Sample("q", '<answer>{"query": "d1"}</answer>', truth)])
    assert item.total == 1


def test_a_trainer_s_arrays_are_lists(scorer):
    import numpy

    truth = {"target": numpy.array(["d1", "d2"], dtype=object)}
    (item,) = scorer({"type": "recall"}).score([Sample("q", '<answer>{"query": "d1"}</answer>', truth)])
    assert item.total == 0.5


def test_the_time_of_each_part_is_told(scorer):
    reward = scorer(FORMAT, {"type": "recall"})
    reward.score([Sample("q", '<think>t</think><answer>{"query": "d1"}</answer>', "d1")])
    assert reward.seconds["recall"] > reward.seconds["format"] >= 0


def test_json_of_another_version_or_none_is_refused(scorer, tmp_path):
    path = tmp_path / "other.json"
    path.write_text(json.dumps({**scorer(FORMAT).config, "version": 99}))
    with pytest.raises(ContractError, match="version 99, this code reads 1"):
        Scorer.load(path)
    with pytest.raises(Missing, match="cannot be read"):
        Scorer.load(tmp_path / "nowhere.json")
    with pytest.raises(ContractError, match="part `later`"):
        Scorer({**scorer(FORMAT).config, "parts": [{**FORMAT, "name": "x", "type": "later"}]})
