"""`dr distill reasoning`: worked answers that can be trusted."""

import json
import os
import subprocess
import sys

import pytest

from core.distill.answers import Unusable
from core.distill.reasoning import worked
from core.llm.chat import Answer


def reply(text, reasoning="", finish="stop"):
    return Answer(text, reasoning, 1, 1, finish)


def test_thoughts_and_answer_are_read_from_tags():
    found = worked.read(reply("<think>10万×1.2%÷6</think>\n<answer>200 元</answer>"))
    assert (found.thought, found.answer) == ("10万×1.2%÷6", "200 元")
    assert found.content == "<think>\n10万×1.2%÷6\n</think>\n<answer>200 元</answer>"


def test_thoughts_may_come_apart_or_without_their_first_tag():
    assert worked.read(reply("<answer>a</answer>", "steps")).thought == "steps"
    assert worked.read(reply("steps</think><answer>b</answer><answer>a</answer>")) == worked.Worked("steps", "a")


@pytest.mark.parametrize(
    ("text", "finish", "why"),
    [
        ("<answer>a</answer>", "stop", "no steps"),
        ("<think>x</think> a", "stop", "no answer"),
        ("<think>x</think><answer> </answer>", "stop", "no answer"),
        ("<think>x</think><answer>a</answer>", "length", "cut off"),
    ],
)
def test_a_reply_without_both_is_unusable(text, finish, why):
    with pytest.raises(Unusable, match=why):
        worked.read(reply(text, finish=finish))


@pytest.mark.parametrize(
    ("given", "true", "same"),
    [
        ("200 元", "200", True),
        ("2,000.0 元", "2000", True),
        ("３．５％", "0.035", True),
        ("3.5%", "3.5", False),
        ("1.204", "1.2", True),  # 0.33 % away
        ("1.21", "1.2", False),  # 0.83 % away
        ("利息 200 元，共 600 元", "600", True),  # the last number is the result
        ("不能提前还款。", "不能提前还款", True),
        ("可以", "不可以", False),
        ("20 元", "20 万元", False),
        ("20 亿元", "20 万元", False),
        ("20 万元", "200,000 元", True),
        ("2 million", "2000000", True),
        ("大约没有", "5", False),
    ],
)
def test_answers_agree_as_text_or_as_a_number(given, true, same):
    assert worked.agrees(given, true, tolerance=0.005) is same


def test_rows_are_conversations_and_wrong_answers_are_told(tmp_path, llm_server):
    questions = [
        {"id": "a", "question": "年利率1.2%，借两个月10万元，利息多少？", "answer": "200"},
        {"question": "晚还一个月多付多少？", "context": "罚息按日万分之五。"},
        {"id": "c", "question": "另一个问题", "answer": "7"},
    ]
    (tmp_path / "q.jsonl").write_text("".join(json.dumps(q, ensure_ascii=False) + "\n" for q in questions))
    content = "<think>100000×1.2%×2÷12</think><answer>200 元</answer>"
    body = json.dumps({"choices": [{"message": {"content": content}, "finish_reason": "stop"}]})
    with llm_server(body=body) as server:
        llm = {"server": {"type": "openai", "model": "m", "base_url": server.url}}
        recipe = {"stage": "reasoning", "questions": "q.jsonl", "out": "out", "llm": llm, "per_question": 2}
        (tmp_path / "r.yaml").write_text(json.dumps(recipe))
        command = [sys.executable, "-m", "cli.main", "distill", "reasoning", "r.yaml"]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, env=os.environ)
        assert done.returncode == 0, done.stderr
        assert "2 of 6 worked answers were not got: see failed.jsonl" in done.stderr
    rows = [json.loads(line) for line in (tmp_path / "out/messages.jsonl").read_text().splitlines()]
    assert [row["metadata"]["id"] for row in rows] == ["a", "2"]  # equal answers to one question are kept once
    assert [turn["role"] for turn in rows[1]["messages"]] == ["user", "assistant"]
    assert rows[1]["messages"][0]["content"] == "罚息按日万分之五。\n\n晚还一个月多付多少？"
    assert rows[0]["messages"][1]["content"].endswith("<answer>200 元</answer>")
    (failed, _) = [json.loads(line) for line in (tmp_path / "out/failed.jsonl").read_text().splitlines()]
    assert (failed["id"], failed["reason"]) == ("c", "wrong answer")
    assert "'200 元', the true one is '7'" in failed["detail"]


def test_raised_attempts_ask_again_for_what_failed_alone(tmp_path, llm_server):
    (tmp_path / "q.jsonl").write_text('{"question": "2+2?", "answer": "4"}\n{"question": "3+3?", "answer": "6"}\n')
    body = json.dumps({"choices": [{"message": {"content": "<think>x</think><answer>4</answer>"}}]})
    command = [sys.executable, "-m", "cli.main", "distill", "reasoning", "r.yaml", "--force"]
    with llm_server(body=body) as server:
        for attempts, tries in ((2, 1 + 2), (3, 1 + 2 + 1)):
            llm = {"server": {"type": "openai", "model": "m", "base_url": server.url}}
            recipe = {"stage": "reasoning", "questions": "q.jsonl", "out": "out", "llm": llm, "attempts": attempts}
            (tmp_path / "r.yaml").write_text(json.dumps(recipe))
            done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, env=os.environ)
            assert done.returncode == 0, done.stderr
            assert len(server.tries()) == tries


def test_bad_questions_are_told_or_set_aside(tmp_path, llm_server):
    (tmp_path / "q.jsonl").write_text('{"question": "2+2?"}\n{"text": ""}\n{"answer": 4}\n')
    body = json.dumps({"choices": [{"message": {"content": "<think>x</think><answer>4</answer>"}}]})
    with llm_server(body=body) as server:
        llm = {"server": {"type": "openai", "model": "m", "base_url": server.url}}
        recipe = {"stage": "reasoning", "questions": "q.jsonl", "out": "out", "llm": llm}
        (tmp_path / "r.yaml").write_text(json.dumps(recipe))
        command = [sys.executable, "-m", "cli.main", "distill", "reasoning", "r.yaml"]
        failed = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, env=os.environ)
        assert failed.returncode == 1 and "q.jsonl:2: the question is empty" in failed.stderr
        assert server.tries() == []
        done = subprocess.run(
            [*command, "on_bad_row=reject"], cwd=tmp_path, capture_output=True, text=True, env=os.environ
        )
        assert done.returncode == 0, done.stderr
    assert len((tmp_path / "out/rejected.jsonl").read_text().splitlines()) == 2


def test_a_run_that_could_use_no_answer_asks_anew_the_next_time(tmp_path, llm_server):
    (tmp_path / "q.jsonl").write_text('{"question": "2+2?"}\n')
    command = [sys.executable, "-m", "cli.main", "distill", "reasoning", "r.yaml"]
    for content, code in (("no idea", 1), ("<think>x</think><answer>4</answer>", 0)):
        body = json.dumps({"choices": [{"message": {"content": content}}]})
        with llm_server(body=body) as server:
            llm = {"server": {"type": "openai", "model": "m", "base_url": server.url}}
            recipe = {"stage": "reasoning", "questions": "q.jsonl", "out": "out", "llm": llm}
            (tmp_path / "r.yaml").write_text(json.dumps(recipe))
            done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, env=os.environ)
            assert done.returncode == code, done.stderr
            assert server.tries()
    assert (tmp_path / "out/logs/unusable-1.jsonl").exists()
