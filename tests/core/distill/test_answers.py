"""Answers in every dress that models give them."""

import pytest

from core.distill import answers
from core.distill.answers import Unusable

PEOPLE = ["一位关注理财的大学生", "一位银行的风控经理", "a farmer's daughter who trades"]


@pytest.mark.parametrize(
    "text",
    [
        "基金代码009730的费率是多少",
        '"基金代码009730的费率是多少"',
        "“基金代码009730的费率是多少”",
        '{"Generated_Query": "基金代码009730的费率是多少"}',
        '```json\n{"generated_query": "基金代码009730的费率是多少"}\n```',
        '{"query": "基金代码009730的费率是多少", "confidence": 0.9}',
        "<think>该问什么呢 {x}</think>\n基金代码009730的费率是多少",
        "Generated_Query：基金代码009730的费率是多少",
        '{"Generated_Query": "基金代码009730的费率是多少",}',
    ],
)
def test_a_query_is_read_bare_quoted_and_from_an_object(text):
    assert answers.query(text) == "基金代码009730的费率是多少"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "empty"),
        ('{"Generated_Query": ""}', "empty"),
        ('{"Generated_Query": "基金代码00', "cut off"),
        ('{"Generated_Query": 5}', "no text"),
        ('{"Generated_Query": "半个 \\ud83d"}', "no JSON object"),
        ("第一条查询\n第二条查询", "2 lines"),
        ('{"a": "x", "b": "y"}', "no text"),
    ],
)
def test_an_answer_without_one_whole_query_is_refused(text, why):
    with pytest.raises(Unusable, match=why):
        answers.query(text)


def test_quotation_marks_around_parts_of_a_query_stay():
    assert answers.query("“A基金”和“B基金”") == "“A基金”和“B基金”"
    assert answers.query('"“A基金”和“B基金”"') == "“A基金”和“B基金”"


@pytest.mark.parametrize(
    "value", ["一位银行的风控经理", "- 一位银行的风控经理", "2", 2, ["一位银行的风控经理"], "一位银行的风控经理。"]
)
def test_a_character_is_found_by_words_by_number_and_nearly(value):
    assert answers.character({"characters": value}, PEOPLE) == PEOPLE[1]


@pytest.mark.parametrize("value", ["一位诗人", None, "0", "4", "①", "²", "9" * 5000, ["a", "b"]])
def test_a_character_that_was_not_offered_is_refused(value):
    with pytest.raises(Unusable, match="not in the list"):
        answers.character({"characters": value}, PEOPLE)


@pytest.mark.parametrize("value", ["yes_or_no", "Yes or No", "YES-OR-NO", "yes_or_no（是非查询）", "yes_or_no: 求证"])
def test_a_kind_is_read_however_it_is_spelt(value):
    assert answers.kind({"question_type": value}, "Question_Type", ["summary", "yes_or_no"]) == "yes_or_no"


def test_another_kind_is_refused_with_what_it_may_be():
    with pytest.raises(Unusable, match="`Question_Type` is 'poem', it must be one of summary, yes_or_no"):
        answers.kind(answers.fields('{"Question_Type": "poem"}'), "Question_Type", ["summary", "yes_or_no"])
