"""Guest code runs in another program's interpreter: nothing but the standard library is there."""

import ast
import json
import subprocess
import sys
from pathlib import Path

from core.reward.plain import write
from core.reward.spec import Reward

ROOT = Path(__file__).parents[3]
OURS = {"spec", "recipe", "plain", "trials", "decoding"}
"""Modules that stay with us; see `core/reward/__init__.py`."""
ALLOWED = (
    "core.reward",
    "core.remote.client",
    "core.remote.faults",
    "core.remote.memory",
    "core.measure",
    "core.errors",
    "core.retry",
)
ALLOWED += ("core.text.normal", "core.text.answer")

# Every module of the guest, then a score by rule; prints what of it is not in the standard library.
CODE = """
import sys
sys.path.insert(0, sys.argv[1])
for name in sys.argv[3].split():
    __import__(name)
from core.reward.door import compute_score
print(compute_score("s", "<think>t</think><answer>x</answer>", "x", {"question": "q"}, reward=sys.argv[2])["score"])
found = {name.split(".")[0] for name in sys.modules} - set(sys.stdlib_module_names) - {"__main__", "core"}
print(sorted(found))
"""


def guests():
    files = sorted((ROOT / "core/reward").rglob("*.py"))
    return [file for file in files if file.stem not in OURS]


def test_the_guest_s_modules_need_the_standard_library_only(tmp_path):
    parts = [{"type": "format", "answer": "text"}, {"type": "exact_match"}, {"type": "f1"}, {"type": "length"}]
    write(Reward.model_validate({"parts": parts}), tmp_path / "reward.json")
    names = [".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__") for file in guests()]
    assert len(names) > 15
    command = [sys.executable, "-I", "-S", "-c", CODE, str(ROOT), str(tmp_path / "reward.json"), " ".join(names)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.stderr == ""
    assert done.stdout.split("\n") == ["3.0", "[]", ""]


def test_the_guest_imports_nothing_of_ours_but_what_is_meant_for_it():
    for file in guests():
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("core"):
                names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
                assert any(name.startswith(ALLOWED) for name in names), f"{file}: {node.module}"
                assert not {name.rsplit(".", 1)[-1] for name in names} & OURS, f"{file}: {node.module}"


DEAD = """
import asyncio, json, os, sys
sys.path.insert(0, sys.argv[1])
from core.reward.door import compute_score_async
async def limited(*row):
    # what a trainer's own limiter does with any exception
    try:
        return await compute_score_async("s", *row)
    except Exception as error:
        return 0.0
async def main():
    rows = [(f'<answer>{{"query": "d{n}"}}</answer>', '{"d1": 1}') for n in range(20)]
    return await asyncio.gather(*(limited(*row) for row in rows))
print(asyncio.run(main()))
"""


def test_a_failure_reaches_whoever_started_the_trainer_even_where_an_exception_becomes_a_zero(tmp_path):
    retriever = {"url": "http://127.0.0.1:9/retrieve", "retries": 0, "give_up_seconds": 2}
    write(Reward.model_validate({"parts": [{"type": "recall"}], "retriever": retriever}), tmp_path / "reward.json")
    environment = {"DR_REWARD": str(tmp_path / "reward.json"), "DR_REWARD_FAILED": str(tmp_path / "failed.json")}
    command = [sys.executable, "-I", "-S", "-c", DEAD, str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    told = json.loads((tmp_path / "failed.json").read_text())
    assert told["exit_code"] == 3
    assert "the retriever gave no usable answer" in told["error"]
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith("failed")] == ["failed.json"]
