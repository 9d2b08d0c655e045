import json

import pytest

from core.data.rows import numeric
from core.data.rows.numeric import quantity
from core.formats.prompts import Prompts
from core.formats.rows import BadRow, Row

WORDS = Prompts("", "$context\n\nQ: $question")


def item(**fields):
    return numeric.item(Row("a.jsonl:3", {"question": "多少？", **fields}), WORDS)


@pytest.mark.parametrize(
    ("value", "number", "scale", "unit"),
    [
        (72, 72, "", ""),
        (-1.5, -1.5, "", ""),
        ("72", 72, "", ""),
        ("1,452.4", 1452.4, "", ""),
        (["592"], 592, "", ""),
        ("$(9.8) million", -9.8, "million", "$"),
        ("(9.8)", -9.8, "", ""),
        ("-$3", -3, "", "$"),
        ("−3", -3, "", ""),
        ("12.5%", 12.5, "percent", ""),
        ("１２．５％", 12.5, "percent", ""),
        ("3亿元", 3, "亿", "元"),
        ("￥5.2万", 5.2, "万", "¥"),
        ("2.5 years", 2.5, "", "years"),
        ("HK$7 bn", 7, "billion", "HK$"),
        ("1.2万亿", 1.2, "万亿", ""),
        ("0.75", 0.75, "", ""),
    ],
)
def test_a_number_is_found_with_its_scale_and_unit(value, number, scale, unit):
    assert quantity(value) == (number, scale, unit)


@pytest.mark.parametrize("value", ["three", "", "3 to 4", "1,2", ["1", "2"], [], True, None, {"a": 1}, "1.2.3", "5e6"])
def test_what_is_no_single_number_is_none(value):
    assert quantity(value) is None


def test_the_truth_is_json_text_and_the_answer_reads_like_one():
    found = item(answer=1496.5, scale="million", explanation="1452.4 + 44.1")
    assert json.loads(found.truth) == {"number": 1496.5, "scale": "million", "unit": ""}
    assert found.answer == "<think>\n1452.4 + 44.1\n</think>\n<answer>1496.5 million</answer>"


@pytest.mark.parametrize(
    ("fields", "answer"),
    [
        ({"answer": "3亿元"}, "3亿元"),
        ({"answer": "$(9.8) million"}, "$-9.8 million"),
        ({"answer": 7, "unit": "days"}, "7 days"),
        ({"answer": "592", "scale": "thousand"}, "592 thousand"),
        ({"answer": 2.0}, "2"),
    ],
)
def test_an_answer_is_written_as_its_language_does(fields, answer):
    assert item(**fields).answer == f"<answer>{answer}</answer>"


def test_a_table_and_paragraphs_are_the_context():
    found = item(answer=1, table=[["", "2019"], ["Sales", None]], paragraphs=["One.", "Two."])
    assert found.prompt[0].content == " | 2019\nSales | \n\nOne.\nTwo.\n\nQ: 多少？"


def test_gsm8k_s_own_form_gives_working_and_number():
    found = item(answer="48/2 = 24\n#### 1,072")
    assert found.answer == "<think>\n48/2 = 24\n</think>\n<answer>1072</answer>"
    assert item(answer="72", solution="48+24\n#### 72").answer == "<think>\n48+24\n</think>\n<answer>72</answer>"


def test_rows_whose_answer_is_no_number_are_left_out_and_not_bad():
    assert item(answer=["Taxation"]) is numeric.NO_NUMBER
    assert item(answer="$4 million", scale="thousand") is numeric.TWO_SCALES
    assert item(answer="$4 million", scale="million").truth == '{"number":4,"scale":"million","unit":"$"}'


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({}, "none of `answer`"),
        ({"answer": None}, "`answer` is empty"),
        ({"answer": 1, "table": [1]}, "`table[0]` is no list"),
        ({"answer": 1, "table": 5}, "`table` is a number, a list is needed"),
        ({"answer": 1, "scale": 3}, "`scale` is a number"),
    ],
)
def test_a_row_without_question_or_answer_is_bad(fields, told):
    with pytest.raises(BadRow) as caught:
        item(**fields)
    assert told in caught.value.what
