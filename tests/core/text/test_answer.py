"""The contract of the answer: what is found in any text, and what counts as kept to the letter."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.text.answer import boxed, form, read, without_special

WHOLE = '<think>why</think>\n<answer>{"query": "heart attack"}</answer>'


@pytest.mark.parametrize(
    ("text", "query"),
    [
        (WHOLE, "heart attack"),
        ('why</think>\n<answer>{"query": "prefilled"}</answer>', "prefilled"),
        ('<answer>{"query": "1"}</answer> no: <answer>{"query": "2"}</answer>', "2"),
        ('<think>try <answer>{"query": "1"}</answer></think><answer>{"query": "2"}</answer>', "2"),
        ('<think>try <answer>{"query": "1"}</answer></think> {"query": "2"}', "2"),
        ('<answer>```json\n{"query": "fenced"}\n```</answer>', "fenced"),
        ('```json\n{"query": "fenced, bare"}\n```', "fenced, bare"),
        ('Here it is: {"query": "bare"} as asked.', "bare"),
        ('<answer>{"query": "ended"}</answer><|im_end|><|endoftext|>', "ended"),
        ('<answer>{"query": "ended<|im_end|>"}</answer>', "ended"),
        ('<answer>{"query": "R1"}</answer><｜end▁of▁sentence｜></s>', "R1"),
        ("<answer>｛“query”：“基金，净值”｝</answer>", "基金，净值"),
        ("<answer>{'query': 'single quotes'}</answer>", "single quotes"),
        ('<answer>{"query": "says "so" here"}</answer>', 'says "so" here'),
        ('<answer>{"query": "two\nlines"}</answer>', "two lines"),
        ('<answer>{"query": "an \\"escaped\\" one"}</answer>', 'an "escaped" one'),
        ('<answer>{"query": ["one", "two"]}</answer>', "one two"),
        ('<answer>{"query": {"text": "(a OR b)", "more": ["c"]}}</answer>', "(a OR b) c"),
        ('<answer>{"query": 600519}</answer>', "600519"),
        ('<answer>{"note": "x", "query": "second key"}</answer>', "second key"),
        ('<Answer> {"query": "capital"} </ANSWER>', "capital"),
        ('<answer>{"query": "not closed"}', "not closed"),
        ('<answer>{"query": "whole"}</answer><answer>{"query": "torn', "whole"),
        ('<answer>{"query": "a {brace} b"}</answer>', "a {brace} b"),
    ],
)
def test_a_query_is_found_however_it_is_written(text, query):
    assert (read(text).query, read(text).why) == (query, "")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "no answer"),
        ("I cannot help with that.", "no answer"),
        ("<think>and then", "cut off"),
        ('<think>x</think><answer>{"query": "ab', "cut off"),
        ('{"query": "ab', "cut off"),
        ("<answer></answer>", "empty answer"),
        ("<answer>B</answer>", "no JSON"),
        ('<answer>{"answer": "B"}</answer>', "no query"),
        ('<answer>{"query": null}</answer>', "query is no text"),
        ('<answer>{"query": true}</answer>', "query is no text"),
        ('<answer>{"query": []}</answer>', "query is no text"),
        ('<answer>{"query": "  "}</answer>', "query is blank"),
        ('<answer>{"query": NaN}</answer>', "query is no text"),
    ],
)
def test_without_a_query_it_says_why(text, why):
    assert (read(text).query, read(text).why) == (None, why)


def test_what_there_is_of_a_torn_answer_is_kept():
    found = read('<think>first</think><answer>{"query": "ab')
    assert (found.thoughts, found.text) == ("first", '{"query": "ab')


def test_an_answer_in_words_is_found_beside_the_query():
    assert read("<think>x</think><answer> 12.5% </answer>").text == "12.5%"
    assert read("<think>x</think><answer> 12.5% </answer>").short == "12.5%"


def test_thoughts_are_what_stands_before_their_end_prefilled_or_not():
    assert read("<think> a </think>b").thoughts == read(" a </think>b").thoughts == "a"
    assert read("b").thoughts == ""


def test_a_box_holds_the_short_answer():
    assert boxed("so <|box_start|> B <|box_end|>.") == "B"
    assert boxed("so \\boxed{12} and \\boxed{13}") == "13"
    assert boxed("so B") is None
    assert read("<answer>The answer is <|box_start|>B<|box_end|></answer>").short == "B"
    # what is left when the trainer strips special tokens: the sentence
    assert read(without_special("<answer>It is <|box_start|>B<|box_end|></answer>")).short == "It is B"


def test_another_key_is_looked_for_where_one_is_named():
    text = '<answer>{"query": "q", "sql": "SELECT 1"}</answer>'
    assert read(text, key="sql").query == "SELECT 1"


@pytest.mark.parametrize(
    ("text", "tags", "query"),
    [
        (WHOLE, True, True),
        (f"{WHOLE}<|im_end|>", True, True),
        ('why</think><answer>{"query": "x"}</answer>', False, True),
        ('<answer>{"query": "x"}</answer><think>why</think>', False, True),
        ('<think>a</think><think>b</think><answer>{"query": "x"}</answer>', False, True),
        ('<think>a</think><answer>{"query": "1"}</answer><answer>{"query": "2"}</answer>', False, True),
        ("<think>a</think><answer>x</answer>", True, False),
        ('<think>a</think><answer>{"query": ["x"]}</answer>', True, False),
        ('<think>a</think><answer>{"query": " "}</answer>', True, False),
        ('<think>a</think><answer>```json\n{"query": "x"}\n```</answer>', True, False),
        ('<think>a<answer></think>{"query": "x"}</answer>', False, False),
        ("", False, False),
    ],
)
def test_the_form_is_each_tag_once_and_in_order_and_a_text_under_the_key(text, tags, query):
    kept = form(text)
    assert (kept.tags, kept.query) == (tags, query)


def test_a_prefilled_tag_is_put_back_before_the_form_is_checked():
    assert form('why</think><answer>{"query": "x"}</answer>', prefilled=True).tags
    assert not form(WHOLE, prefilled=True).tags  # the model wrote it once more


def test_steps_are_lines_that_begin_with_their_number():
    text = "<think>Step 1: a\n  Step 2： b\n**Step ３: c\nin Step 4: no\nStep one: no\n步骤 1：d</think>"
    assert form(text).steps == 3
    assert form(text, step_words=("Step", "步骤")).steps == 4


def test_a_piece_of_the_form_stands_without_the_others():
    kept = form("<think>x</think> B <|box_start|>B<|box_end|>")
    assert (kept.thoughts, kept.answer, kept.boxed) == (True, False, True)
    assert not form("<think> </think><answer></answer>").thoughts
    assert not form("<think> </think><answer></answer>").answer


PIECES = st.sampled_from(
    ["<think>", "</think>", "<answer>", "</answer>", '{"query": "', '"}', "{", "}", "[", "```json\n", "\n```", "“",
     "：", "<|im_end|>", "<|box_start|>", "\\boxed{", '\\"', "\ud800", "\0", "Step 1:", '{"query": '],
)  # fmt: skip


@given(st.lists(st.one_of(PIECES, st.text(max_size=8)), max_size=24).map("".join))
def test_no_text_makes_it_raise(text):
    found = read(text)
    assert (found.query is None) == bool(found.why)
    assert found.query is None or found.query.strip()
    json.dumps([found.query, found.text, found.thoughts]).encode()
    (found.query or "").encode()
    form(text)
    form(text, prefilled=True)


CLEAN = st.text(st.characters(exclude_categories=("C", "Z")), min_size=1, max_size=40).filter(
    lambda text: "<" not in text and "\\boxed" not in text
)


@given(CLEAN, CLEAN, st.booleans())
def test_a_well_formed_answer_comes_back_as_it_was(thoughts, query, prefilled):
    body = f"{thoughts}</think>\n<answer>{json.dumps({'query': query}, ensure_ascii=False)}</answer>"
    text = body if prefilled else f"<think>{body}"
    assert (read(text).query, read(text).thoughts) == (query, thoughts)
    kept = form(text, prefilled=prefilled)
    assert kept.tags
    assert kept.query


@pytest.mark.parametrize("piece", ["{", "<answer>", '{"query":"', "<answer>{", "[[", "</answer>", "<think>", '"}'])
def test_a_text_of_one_piece_over_and_over_is_read_in_time(piece):
    # read in milliseconds; a reading whose work grows with the square would take minutes
    read(piece * (400_000 // len(piece)))
