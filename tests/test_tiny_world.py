"""The proof of the whole flow: a model from random weights learns to rewrite queries from what a real index gives."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def dr(tmp_path_factory):
    """Runs `dr` in a folder that has the world's data, rows and index; what it made, as `--json` tells."""
    place = tmp_path_factory.mktemp("world")
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1"}

    def run(*words):
        command = [sys.executable, "-m", "cli.main", *words, "--json"]
        done = subprocess.run(command, cwd=place, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr[-4000:]
        return json.loads(done.stdout)

    run("data", "data/world")
    run("data", "rows", "data/rows-world")
    run("data", "rows", "data/rows-world-sft")
    run("index", "build", "index/world")
    return run


@pytest.mark.long
@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.slow), pytest.param(2, marks=pytest.mark.slow)])
def test_recall_of_held_out_queries_rises_from_nothing(dr, seed):
    def recall(model, name):
        """Recall@10 of the test queries as `model` rewrites them."""
        out = f"out=artifacts/eval-{name}-{seed}"
        return dr("eval", "eval/world", f"rewriter.llm.server.model={model}", out)["stats"]["measures"]["recall@10"]

    sft, rl = f"artifacts/sft-{seed}", f"artifacts/rl-{seed}"
    dr("sft", "train", "sft/tiny", f"seed={seed}", f"out={sft}")
    dr("rl", "train", "rl/tiny", f"seed={seed}", f"out={rl}", f"model.path={sft}")
    assert recall(sft, "sft") <= 0.05
    assert recall(rl, "rl") >= 0.8
