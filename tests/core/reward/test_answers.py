"""Answers beside the true ones: Chinese and full-width forms, numbers with scale and unit, letters, words."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.reward.faults import BadTruth
from core.reward.parts.answers import letters
from core.reward.quantity import Quantity, equal, quantity
from core.reward.sample import Sample
from core.reward.words import f1, holds, same_form, tokens


def value(scorer, answer, truth, **part):
    (item,) = scorer({"type": "exact_match", **part}).score([Sample("q", f"<answer>{answer}</answer>", truth)])
    return item.total


@pytest.mark.parametrize(
    ("answer", "truth"),
    [
        ("北京，中国。", "北京中国"),
        ("ＡＢＣ１２３", "abc123"),
        ("The Eiffel Tower!", "eiffel tower"),
        ("U.S.", "US"),
        ("“招商银行”", "招商银行"),
        ("招商 银行", "招商银行"),
        ("12.50", "12.5"),
        ("１，２００", "1200"),
        ("12.5％", "12.5%"),
        ("12.5 percent", "12.5%"),
        ("0.125", "12.5%"),
        ("1,200万元", "1200 万元"),
        ("3.2亿元", "32000万元"),
        ("$3.2 million", "3,200,000美元"),
        ("(9.8)", "-9.8"),
        ("−5", "-5"),
        ("2019年1月25日", "2019-01-25"),
        ("二〇一九年一月二十五日", "20190125"),
        ("A", "A"),
        ("Rome", '["Paris", "Rome"]'),
        ("Rome", '{"target": "Rome"}'),
        ("3.2亿", '{"number": 3.2, "scale": "亿", "unit": "元"}'),
        ("$3.2 million", '{"number": 3.2, "scale": "million", "unit": "$"}'),
        ("12.5%", '{"number": 12.5, "scale": "percent", "unit": ""}'),
    ],
)
def test_the_same_answer_in_another_spelling_is_right(scorer, answer, truth):
    assert value(scorer, answer, truth) == 1


@pytest.mark.parametrize(
    ("answer", "truth"),
    [
        ("5", "-5"),
        ("12.5", "12.5%"),
        ("3.2", "3.2亿元"),
        ("3.2美元", "3.2元"),
        ("1.2", "12"),
        ("a b", "ab"),
        ("北京市", "北京"),
        ("", "x"),
        ("。", "，"),
        ("x", '{"number": 1, "scale": "", "unit": ""}'),
        ("2020", "2019"),
    ],
)
def test_another_answer_is_wrong(scorer, answer, truth):
    assert value(scorer, answer, truth) == 0


def test_a_number_without_its_scale_is_right_where_the_recipe_says_so(scorer):
    assert value(scorer, "12.5", "12.5%", scale_needed=False) == 1


def test_numbers_may_differ_by_the_tolerance(scorer):
    assert value(scorer, "33.33%", "33.3%") == 0
    assert value(scorer, "33.33%", "33.3%", tolerance=0.001) == 1


@pytest.mark.parametrize("truth", ["", "[]", '{"target": []}', None, "{}"])
def test_an_empty_ground_truth_is_no_answer(scorer, truth):
    with pytest.raises(BadTruth, match="names no answer"):
        value(scorer, "x", truth)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("B", "B"),
        ("b", "B"),
        ("（Ｂ）", "B"),
        ("B.", "B"),
        ("B. 基金管理费", "B"),
        ("B、基金", "B"),
        ("(C) the fund", "C"),
        ("ABD", "ABD"),
        ("A、B、D", "ABD"),
        ("A, B and D", "ABD"),
        ("A和C", "AC"),
        ("答案是B", "B"),
        ("答案：ＡＢ", "AB"),
        ("故选C。", "C"),
        ("应选 B、D", "BD"),
        ("The answer is D.", "D"),
        ("Answer: B and C", "BC"),
        ("因为利率上升，所以 D 正确", "D"),
        ("A fund is a pool", ""),
        ("I think so", ""),
        ("Bad", ""),
        ("bad", ""),
        ("X", ""),
        ("", ""),
        ("不知道", ""),
    ],
)
def test_letters_are_read_as_people_write_them(text, found):
    assert "".join(sorted(letters(text, "ABCDEFGHIJ"))) == found


def test_a_choice_is_right_with_all_letters_in_any_order(scorer):
    reward = scorer({"type": "choice", "some": 0.25})
    answers = ["ABD", "D、B、A", "AB", "ABC", "没有"]
    scored = reward.score([Sample("q", f"<answer>{answer}</answer>", "ABD") for answer in answers])
    assert [item.total for item in scored] == [1, 1, 0.25, 0, 0]


def test_a_true_choice_that_names_no_option_is_refused(scorer):
    with pytest.raises(BadTruth, match="names no option"):
        scorer({"type": "choice"}).score([Sample("q", "<answer>A</answer>", "北京")])


def test_f1_is_of_words_and_of_chinese_characters(scorer):
    reward = scorer({"type": "f1"})
    cases = [("the red cat", "a red dog"), ("基金净值", "基金的净值"), ("x", "y"), ("Paris", '["Rome", "in Paris"]')]
    scored = reward.score([Sample("q", f"<answer>{answer}</answer>", truth) for answer, truth in cases])
    # {red, cat} and {red, dog}: 2 x 1 / 4; four characters of five: 2 x 4 / 9; Paris of {in, Paris}: 2 x 1 / 3
    assert [item.total for item in scored] == pytest.approx([1 / 2, 8 / 9, 0, 2 / 3])


@given(st.lists(st.sampled_from("abc")), st.lists(st.sampled_from("abc")))
def test_f1_is_symmetric_and_one_for_the_same_bag_alone(first, second):
    assert f1(first, second) == f1(second, first)
    assert (f1(first, second) == 1) == (sorted(first) == sorted(second) != [])


def test_a_passage_holds_an_answer_as_whole_words_or_chinese_text():
    assert holds(same_form("The start of Art."), same_form("art"))
    assert not holds(same_form("The start"), same_form("art"))
    assert not holds(same_form("1112 funds"), same_form("12"))
    assert holds(same_form("本基金的净值，每日公布"), same_form("净值每日"))
    assert holds(same_form("于２０１９年１月２５日"), same_form("2019-01-25"))
    assert not holds("anything", "")


def test_tokens_are_words_numbers_and_single_characters():
    assert tokens("The NAV为１．２５元 (est.)") == ["nav", "为", "1.25", "元", "est"]


@given(st.floats(-1e12, 1e12).map(lambda number: round(number, 4)), st.sampled_from(["", "%", "万", "亿", " million"]))
def test_a_number_is_read_back_as_it_was_written(number, scale):
    found = quantity(f"{number:.4f}{scale}")
    assert found.number == pytest.approx(number)
    assert found.scale == scale.strip()


@pytest.mark.parametrize("text", ["", "abc", "1 and 2", "12-13", "(5", "1.2.3", "1e999", "基金"])
def test_what_is_no_single_number_is_none(text):
    assert quantity(text) is None


@given(st.text(max_size=30))
def test_any_text_has_a_form_and_perhaps_a_number(text):
    same_form(text)
    tokens(text)
    letters(text, "ABCD")
    found = quantity(text)
    assert found is None or equal(found, found, tolerance=0, scale_needed=True)


def test_a_quantity_is_told_as_people_say_it():
    assert str(Quantity.named(3.2, "亿", "元")) == "3.2 亿 cny"
    assert json.dumps(str(Quantity.named(12, "", ""))) == '"12"'
