import pytest

from core.data.rows import choice
from core.formats.prompts import Prompts
from core.formats.rows import BadRow, Row

WORDS = Prompts("", "$context\n\nQ: $question\n$options")
FOUR = ["甲", "乙", "丙", "丁"]
PROMPT = "Q: 哪一个？\nA. 甲\nB. 乙\nC. 丙\nD. 丁"


def item(first_index=0, **fields):
    return choice.item(Row("a.jsonl:3", {"question": "哪一个？", **fields}), WORDS, first_index)


@pytest.mark.parametrize(
    "options",
    [
        {"choices": FOUR},
        {"options": dict(zip("ABCD", FOUR, strict=True))},
        {"choices": dict(zip("abcd", FOUR, strict=True)) | {"e": None}},
        {"choices": [f"{letter}. {text}" for letter, text in zip("ABCD", FOUR, strict=True)]},
        {"choices": [f"{letter}、{text}" for letter, text in zip("ABCD", FOUR, strict=True)]},
        {"choices": [{"label": letter, "text": text} for letter, text in zip("ABCD", FOUR, strict=True)]},
        {"choices": {"text": FOUR, "label": ["1", "2", "3", "4"]}},
        {**dict(zip("ABCD", FOUR, strict=True)), "E": ""},
    ],
    ids=range(8),
)
def test_options_in_every_shape_give_the_same_prompt_and_the_letter_is_the_truth(options):
    found = item(**options, answer="B")
    assert [tuple(message) for message in found.prompt] == [("user", PROMPT)]
    assert (found.truth, found.answer) == ("B", "<answer>B</answer>")


@pytest.mark.parametrize(
    ("answer", "truth"),
    [
        ("B", "B"),
        ("b", "B"),
        ("（B）", "B"),
        ("B.", "B"),
        (1, "B"),
        ("1", "B"),
        ("乙", "B"),
        (["B"], "B"),
        ("ABD", "ABD"),
        ("D,A,B", "ABD"),
        ("A、D", "AD"),
        (["A", "D"], "AD"),
        ([0, 3], "AD"),
        (["甲", "丁"], "AD"),
    ],
)
def test_an_answer_may_be_letters_an_index_or_a_text(answer, truth):
    assert item(choices=FOUR, answer=answer).truth == truth


def test_an_index_may_count_from_one():
    assert item(choices=FOUR, answer=1, first_index=1).truth == "A"
    with pytest.raises(BadRow, match="no letter, index or text"):
        item(choices=FOUR, answer=0, first_index=1)


def test_labels_of_the_set_itself_become_letters():
    assert item(choices={"label": ["1", "2"], "text": ["甲", "乙"]}, answer="2").truth == "B"


def test_an_explanation_is_the_thoughts_before_the_letter_and_a_context_stands_first():
    found = item(choices=FOUR, answer="C", analysis="因为丙。", context="材料")
    assert found.answer == "<think>\n因为丙。\n</think>\n<answer>C</answer>"
    assert found.prompt[0].content == f"材料\n\n{PROMPT}"


def test_a_line_of_the_template_whose_placeholders_are_all_empty_is_left_out():
    words = Prompts("", "材料：$context\n\n题：$question\n\n$options\n完")
    fields = {"question": "哪一个？", "choices": ["甲", "乙"], "answer": "A"}
    prompts = [
        choice.item(Row("x", {**fields, **more}), words, 0).prompt[0].content for more in ({}, {"context": "表"})
    ]
    assert prompts == ["题：哪一个？\n\nA. 甲\nB. 乙\n完", "材料：表\n\n题：哪一个？\n\nA. 甲\nB. 乙\n完"]


def test_dollar_signs_of_a_question_are_taken_as_they_are():
    found = choice.item(Row("x", {"question": "$options $5?", "choices": ["$1", "$2"], "answer": "A"}), WORDS, 0)
    assert found.prompt[0].content == "Q: $options $5?\nA. $1\nB. $2"


@pytest.mark.parametrize(
    ("fields", "reason", "told"),
    [
        (
            {"choices": FOUR, "answer": "E"},
            "bad answer",
            "`answer` is 'E': no letter, index or text of the options A, B",
        ),
        ({"choices": FOUR, "answer": 4}, "bad answer", "`answer` is '4'"),
        ({"choices": FOUR, "answer": True}, "bad answer", "`answer` is 'True'"),
        ({"choices": FOUR, "answer": "AA"}, "bad answer", "`answer` is 'AA'"),
        ({"choices": FOUR, "answer": ""}, "bad answer", "`answer` is ''"),
        ({"choices": ["甲", "甲"], "answer": "甲"}, "bad answer", "`answer` is '甲'"),
        ({"choices": FOUR}, "missing text", "none of `answer`, `label`"),
        ({"choices": ["甲"], "answer": "A"}, "bad choice", "1 options"),
        ({"answer": "A"}, "bad choice", "0 options"),
        ({"choices": ["甲", " "], "answer": "A"}, "bad choice", "option B is empty"),
        ({"choices": ["甲", {"a": 1}], "answer": "A"}, "bad choice", "`choices[1]` is neither"),
        ({"choices": "甲乙", "answer": "A"}, "wrong columns", "`choices` is a text, a list is needed"),
        ({"question": " ", "choices": FOUR, "answer": "A"}, "empty query", "`question` is empty"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_row_that_is_no_choice_is_bad_and_says_why_and_where(fields, reason, told):
    with pytest.raises(BadRow) as caught:
        item(**fields)
    assert (caught.value.reason, caught.value.where) == (reason, "a.jsonl:3")
    assert told in caught.value.what


def test_an_answer_that_is_an_option_word_for_word_is_no_list_of_letters():
    assert item(options=["good", "CAB", "bad", "none"], answer="bad").truth == "C"
    assert item(options=FOUR, answer="BAD").truth == "ABD"
