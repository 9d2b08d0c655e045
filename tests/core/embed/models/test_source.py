"""Models on a hub: a real one over HTTP, its cache without it, and nothing that answers."""

import json
import os
import shutil
import subprocess
import sys
import time

import pytest

COMMIT = "0123456789abcdef0123456789abcdef01234567"

SCRIPT = """
import sys
from pathlib import Path
from sentence_transformers import SentenceTransformer
from core.embed.models.build import build
from core.embed.models.saved import save
from core.embed.models.spec import Lora, Pretrained
from core.errors import DrError

try:
    model = build(Pretrained(type="pretrained", name=sys.argv[1], pooling="last", lora=Lora()), (), "cpu")
except DrError as error:
    sys.exit(f"{error.exit_code} {error.what}")
save(model, Path(sys.argv[2]))
print(SentenceTransformer(sys.argv[2], device="cpu").encode(["a"]).shape)
"""

pytestmark = pytest.mark.slow


@pytest.fixture
def hub(tmp_path, tiny_qwen3, root):
    """A hub that holds `ours/tiny`, with a pickle beside its weights; gives its folder and address."""
    home = tmp_path / "hub"
    shutil.copytree(tiny_qwen3, home / "models/ours/tiny" / COMMIT)
    (home / "models/ours/tiny/refs.json").write_text(json.dumps({"main": COMMIT}))
    (home / "models/ours/tiny" / COMMIT / "pytorch_model.bin").write_bytes(b"a pickle")
    with subprocess.Popen([sys.executable, str(root / "tests/doubles/hub_server.py"), str(home)]) as server:
        while not (home / "ports").exists():
            assert server.poll() is None
            time.sleep(0.02)
        yield home, f"http://127.0.0.1:{(home / 'ports').read_text().split()[0]}"
        server.kill()


@pytest.fixture
def run(tmp_path, root):
    """`run("ours/tiny", "adapter", HF_ENDPOINT=...)`: train nothing, save, load with sentence-transformers alone."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith("HF_") and "proxy" not in k.lower()}

    def call(name, out, **environment):
        environment = {**clean, "HF_HOME": str(tmp_path / "hf"), "PYTHONPATH": str(root), **environment}
        command = [sys.executable, "-c", SCRIPT, name, str(tmp_path / out)]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    return call


def test_a_model_is_fetched_without_its_pickle_and_found_again_without_the_hub(hub, run, tmp_path):
    home, address = hub
    done = run("ours/tiny", "first", HF_ENDPOINT=address)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "(1, 64)\n"
    asked = (home / "requests.log").read_text()
    assert "model.safetensors" in asked
    assert "pytorch_model.bin" not in asked
    done = run("ours/tiny", "again", HF_HUB_OFFLINE="1")
    assert done.stdout == "(1, 64)\n", done.stderr
    for folder in ("first", "again"):
        config = json.loads((tmp_path / folder / "adapter_config.json").read_text())
        assert (config["base_model_name_or_path"], config["revision"]) == ("ours/tiny", COMMIT)
        known = json.loads((tmp_path / folder / "adapter_base.json").read_text())
        assert (known["name"], known["commit"]) == ("ours/tiny", COMMIT)


def test_a_hub_without_the_model_and_one_that_does_not_answer_are_told_apart(hub, run):
    _, address = hub
    unknown = run("ours/unknown", "none", HF_ENDPOINT=address)
    assert unknown.stderr.splitlines()[-1] == "2 there is no model `ours/unknown`"
    offline = run("ours/unknown", "none", HF_HUB_OFFLINE="1")
    assert offline.stderr.splitlines()[-1].startswith("3 ")
    assert "ours/unknown" in offline.stderr.splitlines()[-1]
    silent = run("ours/unknown", "none", HF_ENDPOINT="http://127.0.0.1:9")
    assert silent.stderr.splitlines()[-1].startswith("3 http://127.0.0.1:9 does not answer")
