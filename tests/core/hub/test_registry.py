"""The registry, and what a user may call a repository."""

import json
import subprocess
import sys

import pytest

from core.errors import UsageError
from core.hub.listing import Repository
from core.hub.named import did_you_mean, named
from core.hub.registry import REGISTRY


def test_every_name_and_every_repository_stands_once():
    names = [entry.name for entry in REGISTRY]
    ids = [(entry.kind, entry.huggingface) for entry in REGISTRY]
    assert len(set(names)) == len(names) >= 40
    assert len(set(ids)) == len(ids)
    assert all(name == name.lower() and "/" not in name for name in names)
    assert all(entry.huggingface.count("/") == 1 for entry in REGISTRY)


def test_every_beir_set_comes_with_its_judgements():
    texts = {e.huggingface for e in REGISTRY if e.name.startswith("beir-") and not e.name.endswith("-qrels")}
    judged = {e.huggingface.removesuffix("-qrels") for e in REGISTRY if e.name.endswith("-qrels")}
    assert texts == judged


@pytest.mark.parametrize(
    ("name", "hub", "found"),
    [
        ("persona-hub", "huggingface", Repository("huggingface", "proj-persona/PersonaHub", "dataset")),
        ("Qwen3-Embedding-0.6B", "modelscope", Repository("modelscope", "Qwen/Qwen3-Embedding-0.6B", "model")),
        ("Qwen/Qwen3-8B", "huggingface", Repository("huggingface", "Qwen/Qwen3-8B", "model")),
        ("beir-fiqa-qrels", "huggingface", Repository("huggingface", "BeIR/fiqa-qrels", "dataset")),
    ],
)
def test_a_known_repository_brings_its_kind(name, hub, found):
    assert named(name, hub) == found


def test_an_unknown_repository_needs_its_kind():
    assert named("me/mine", "huggingface", "model", "v1") == Repository("huggingface", "me/mine", "model", "v1")
    with pytest.raises(UsageError, match="a dataset or a model"):
        named("me/mine", "huggingface")


def test_a_wrong_name_is_answered_with_the_near_ones():
    with pytest.raises(UsageError) as failed:
        named("fiqa", "huggingface")
    assert failed.value.hint.startswith("did you mean `beir-fiqa` or `beir-fiqa-qrels`?")
    assert did_you_mean("Qwen/Qwen3-Embeding-4B", "x").startswith("did you mean `Qwen/Qwen3-Embedding-4B`")
    assert did_you_mean("zzzz", "look") == "look"


def test_a_set_that_a_hub_does_not_have_is_said():
    with pytest.raises(UsageError, match="no copy of `beir-fiqa` on modelscope"):
        named("beir-fiqa", "modelscope")


def test_the_registry_is_printed_without_a_network_and_without_a_library(root):
    code = (
        "import sys, socket, cli.commands.download, cli.main\n"
        "sys.argv, socket.socket = ['dr', 'data', 'list', '--json'], None\n"
        "try:\n    cli.main.main()\nexcept SystemExit:\n    pass\n"
        "print(sorted({'huggingface_hub', 'modelscope_hub', 'requests', 'torch'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    printed, loaded = done.stdout.splitlines()
    assert [entry["name"] for entry in json.loads(printed)["repositories"]] == [entry.name for entry in REGISTRY]
    assert loaded == "[]"
