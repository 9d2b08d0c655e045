"""`dr embed` as a user meets it, and a Qwen3 from its training to its service."""

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import httpx
import numpy as np
import pytest
from sentence_transformers import SentenceTransformer

ROOT = Path(__file__).parents[2]

TRAIN = """\
stage: embed
out: adapter
model:
  type: pretrained
  name: {model}
  pooling: last
  max_tokens: 64
  query_prompt: "Instruct: find what answers\\nQuery:"
  lora: {{target_modules: [q_proj, v_proj, o_proj]}}
train: {{type: judged, data: artifacts/tiny/distill}}
loss: {{type: infonce, false_negative_margin: 0, mini_batch_size: 8}}
epochs: 1
batch_size: 16
learning_rate: 0.001
proof: {{limit: 40, gate: null}}
"""
MERGE = "stage: merge\nout: merged\nadapter: adapter\n"
INDEX = """\
stage: index
out: index
data: artifacts/tiny/data
backend: {type: hybrid, dense: {type: dense, model: merged}}
"""
SERVE = "stage: serve\nindex: index\nport: 0\n"


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("home")


def start(home, *argv):
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "NO_COLOR": "1", "HF_HUB_OFFLINE": "1"}
    command = [sys.executable, "-m", "cli.main", *map(str, argv)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(command, cwd=home, env=environment, text=True, **pipes)


def dr(home, *argv, status=0):
    with start(home, *argv) as child:
        out, err = child.communicate(timeout=600)
    assert child.returncode == status, f"exit {child.returncode}\n{out}\n{err}"
    assert "Traceback" not in err
    return out, err


@pytest.fixture(scope="module")
def merged(home, tiny_qwen3):
    """The folder in which a Qwen3 learnt from distilled questions, and its adapter went into it."""
    for name, text in {
        "train": TRAIN.format(model=tiny_qwen3),
        "merge": MERGE,
        "index": INDEX,
        "serve": SERVE,
    }.items():
        (home / f"{name}.yaml").write_text(text, encoding="utf-8")
    dr(home, "data", "data/tiny")
    dr(home, "distill", "distill/tiny")
    dr(home, "embed", "train", "train.yaml")
    dr(home, "embed", "merge", "merge.yaml")
    return home


@pytest.mark.slow
def test_an_adapter_of_a_qwen3_is_trained_and_merged(merged):
    report = json.loads((merged / "adapter/report.json").read_text(encoding="utf-8"))
    assert report["gate"] in {"passed", "failed"}  # there is a base, so it was compared
    texts = ["基金的单位净值是多少", "bond"]
    adapter = SentenceTransformer(str(merged / "adapter/model")).encode(texts, normalize_embeddings=True)
    whole = SentenceTransformer(str(merged / "merged/model")).encode(texts, normalize_embeddings=True)
    assert (adapter * whole).sum(1) == pytest.approx([1, 1], abs=1e-4)
    assert not (merged / "merged/model/adapter_config.json").exists()


@pytest.mark.slow
def test_the_checkpoints_of_a_training_can_be_measured_again(merged):
    out = json.loads(dr(merged, "embed", "train", "train.yaml", "--evaluate", "--json")[0])
    assert out["checkpoints"]


@pytest.mark.slow
def test_training_index_and_service_give_a_text_one_vector(merged):
    dr(merged, "index", "build", "index.yaml")
    text = "投资者适当性是什么"
    model = SentenceTransformer(str(merged / "merged/model"))
    plain = model.encode([text], prompt_name="query", normalize_embeddings=True)[0]
    process = start(merged, "serve", "serve.yaml")
    try:
        url = address(process)
        found = httpx.post(f"{url}/retrieve", json={"queries": [text], "topk": 3}, timeout=60).json()
        body = {"input": [text], "input_type": "query"}
        served = httpx.post(f"{url}/v1/embeddings", json=body, timeout=60).json()
    finally:
        process.kill()
        process.communicate()
    assert len(found["data"][0]) == 3
    assert np.array(served["data"][0]["embedding"]) @ plain == pytest.approx(1, abs=1e-5)


def address(process):
    deadline = time.monotonic() + 120
    told = []
    while time.monotonic() < deadline:
        told.append(process.stderr.readline())
        if found := re.search(r"serving .* at (http://\S+),", told[-1]):
            return found[1]
        assert process.poll() is None, "".join(told)
    raise AssertionError("".join(told))
