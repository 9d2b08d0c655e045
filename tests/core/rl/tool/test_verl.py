"""The search as verl's tool, in verl's own interpreter and by verl's own loader."""

import json
import os
import subprocess
import sys

import pytest

from core.reward.spec import Retriever
from core.rl.tool.search import schema

pytestmark = pytest.mark.slow

TOOL = {"name": "find", "description": "Finds.", "top_k": 2, "max_calls": 2, "max_queries": 1, "max_result_tokens": 40}

PROGRAM = """
import asyncio, json, sys
from verl.tools.function_tool import load_function_tools_from_path
(tool,) = load_function_tools_from_path(sys.argv[1])
said = [tool.name, tool.tool_schema.model_dump(exclude_unset=True, exclude_none=True)]
for call in json.loads(sys.argv[2]):
    try:
        said.append(asyncio.run(tool.call(call)))
    except Exception as error:
        said.append("an answer to verl: " + repr(error))
    except BaseException as error:
        said.append("the end: " + str(error))
print(json.dumps(said))
"""


@pytest.fixture
def called(environment, root, tmp_path, tiny_qwen3):
    """Name, schema and answers of the tool, whose retriever is at `url`; and the file that tells failures."""

    def call(url, *calls):
        (tmp_path / "core").symlink_to(root / "core")
        patience = {"timeout_seconds": 1, "retries": 0, "give_up_seconds": 2}
        retriever = Retriever(url=url, **patience).model_dump(mode="json")
        (tmp_path / "reward.json").write_text(json.dumps({"retriever": retriever}), encoding="utf-8")
        given = {"tool": TOOL, "reward": str(tmp_path / "reward.json"), "tokenizer": str(tiny_qwen3)}
        (tmp_path / "tool.json").write_text(json.dumps(given), encoding="utf-8")
        env = {
            **os.environ,
            "PYTHONPATH": str(tmp_path),
            "DR_SEARCH_TOOL": str(tmp_path / "tool.json"),
            "DR_REWARD_FAILED": str(tmp_path / "failed.json"),
        }
        argv = [environment("verl"), "-c", PROGRAM, str(tmp_path / "core/rl/tool/verl.py"), json.dumps(calls)]
        done = subprocess.run(argv, env=env, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout.splitlines()[-1]), tmp_path / "failed.json"

    return call


@pytest.fixture
def search(root):
    """A search service, and its address."""
    command = [sys.executable, str(root / "tests/doubles/reward_server.py")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        try:
            yield child, f"http://127.0.0.1:{child.stdout.readline().strip()}/retrieve"
        finally:
            child.kill()


def test_verl_is_told_the_schema_that_trl_is_told_and_the_model_its_passages(called, search):
    calls = [
        {"query_list": ["d1=one d2=two"]},
        {"query_list": []},
        {"queries": ["d1"]},
        {"query_list": ["d3=" + "x" * 99]},
    ]
    (name, told, found, empty, wrong, long), failed = called(search[1], *calls)
    assert (name, told) == ("find", schema(TOOL))
    assert found.startswith("1. ") and "\n2. " in found
    assert "holds no query" in empty
    assert "has to be a list of texts" in wrong
    assert len(long) == 41 and long.endswith("…")  # a token is a byte here
    assert not failed.exists()


def test_a_dead_search_service_is_no_answer_to_the_model(called, search):
    search[0].kill()
    search[0].wait()
    (_, _, ended), failed = called(search[1], {"query_list": ["d1"]})
    assert ended.startswith("the end: the retriever gave no usable answer")
    assert json.loads(failed.read_text(encoding="utf-8"))["exit_code"] == 3
