"""Calls of tools: needed, valid, new, of some use; and the turns around them."""

import json

import pytest

from core.reward.faults import BadTruth
from core.reward.parts.turns import calls, in_form
from core.reward.sample import Sample


def call(query, tool="search", **arguments):
    return f"<tool_call>\n{json.dumps({'name': tool, 'arguments': {'query': query, **arguments}})}\n</tool_call>"


def value(scorer, response, extra=None, messages=(), **part):
    sample = Sample("q", response, "Paris", extra=extra or {}, messages=messages)
    (item,) = scorer({"type": "tool_use", **part}).score([sample])
    return item.total


ANSWER = "<answer>Paris</answer>"


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        # called .4 + valid .3 x share + new .3 x share
        (call("a") + ANSWER, 1),
        (call("a") + call("b") + ANSWER, 1),
        (ANSWER, 0),
        (call("a") + call("A ") + ANSWER, 0.4 + 0.3 + 0.3 / 2),
        (call("a") + call("b", tool="fetch") + ANSWER, 0.4 + 0.3 / 2 + 0.3),
        (call("") + ANSWER, 0.4 + 0 + 0.3),
        ("<tool_call>{broken</tool_call>" + ANSWER, 0.4 + 0 + 0.3),
        ("<search>a</search>" + ANSWER, 1),
        ("<tool_call>" + ANSWER, 0.4 + 0 + 0.3),
    ],
)
def test_a_needed_tool_is_paid_by_shares(scorer, response, expected):
    assert value(scorer, response) == pytest.approx(expected)


def test_where_no_tool_is_needed_none_is_right(scorer):
    marked = {"needed": "marked"}
    assert value(scorer, ANSWER, {"needs_tool": False}, **marked) == 1
    assert value(scorer, call("a") + ANSWER, {"needs_tool": False}, **marked) == pytest.approx(0.6)
    assert value(scorer, ANSWER, {"needs_tool": True}, **marked) == 0


def test_the_gain_is_over_the_answer_without_tools(scorer):
    weights = {"called": 0, "valid": 0, "new": 0, "gain": 1}
    response = call("a") + ANSWER
    assert value(scorer, response, {"without_tool": "Rome"}, **weights) == 1
    assert value(scorer, response, {"without_tool": "Paris"}, **weights) == 0
    assert value(scorer, "<answer>Rome</answer>", {"without_tool": "<answer>Paris</answer>"}, **weights) == -1
    assert value(scorer, response, {"without_tool": "old Paris"}, gain_by="f1", **weights) == pytest.approx(1 / 3)


def test_a_gain_without_anything_to_compare_with_is_refused(scorer):
    with pytest.raises(BadTruth, match="without_tool"):
        value(scorer, ANSWER, gain=1)


def test_calls_are_read_from_messages_where_there_are_some():
    function = {"name": "search", "arguments": '{"query": "a"}'}
    messages = [{"role": "assistant", "tool_calls": [{"type": "function", "function": function}]}, {"role": "tool"}]
    assert calls(Sample("q", call("other"), "t", messages=messages)) == [("search", {"query": "a"})]


@pytest.mark.parametrize(
    ("response", "good"),
    [
        ("<think>a</think><answer>b</answer>", True),
        (f"<think>a</think>{call('x')}\nuser\n<tool_response>r</tool_response>\nassistant\n{ANSWER}", True),
        ("<think>a</think><search>x</search><information>i</information><think>b</think><answer>c</answer>", True),
        ("<answer>b</answer>", False),
        ("<think>a</think>well, <answer>b</answer>", False),
        ("<think>a</think><answer>b</answer> and more", False),
        ("<think>a<answer>b</answer></think>", False),
        ("<think>a</think><search>x</search><answer>b</answer>", False),
        ("<think>a</think>", False),
        ("", False),
    ],
)
def test_turns_are_in_form_when_they_follow_each_other_with_nothing_between(response, good):
    assert in_form(response) == good
