"""The whole stage: rows and an index in, a model out; its process and its search service included."""

import json
import os
import signal
import subprocess
import sys
import time

import psutil
import pytest
import torch
import yaml
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

from core import artifact
from core.errors import ContractError
from core.reward import trials
from core.rl import train
from core.rl.recipe import Recipe

WORDS = 8


def dr(folder, *words):
    command = [sys.executable, "-m", "cli.main", *map(str, words)]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with rows and an index: document d3 says `d3`, and is what the query u3 means."""
    folder = tmp_path_factory.mktemp("place")
    files = {
        "documents.jsonl": [{"id": f"d{word}", "text": f"d{word} said"} for word in range(WORDS)],
        "queries.jsonl": [{"id": f"{split}{word}", "text": f"u{word}"} for split in "ab" for word in range(WORDS)],
    }
    for name, lines in files.items():
        (folder / name).write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    (folder / "qrels").mkdir()
    for name, letter in (("train", "a"), ("dev", "b")):
        lines = [f"{letter}{word}\td{word}\t1\n" for word in range(WORDS)]
        (folder / f"qrels/{name}.tsv").write_text("".join(lines), encoding="utf-8")
    (folder / "prompts").mkdir()
    (folder / "prompts/user.txt").write_text("rewrite $query", encoding="utf-8")
    source = {"type": "jsonl", "documents": "documents.jsonl", "queries": "queries.jsonl", "qrels": "qrels"}
    asked = {"type": "retrieval", "data": "data", "prompts": "prompts"}
    recipes = {
        "data": {"stage": "data", "out": "data", "source": source},
        "data rows": {"stage": "rows", "out": "rows", "source": asked, "targets": ["rl"]},
        "index": {
            "stage": "index",
            "out": "index",
            "data": "data",
            "backend": {"type": "bm25", "analyzer": {"type": "whitespace"}},
        },
    }
    for command, recipe in recipes.items():
        file = folder / f"{recipe['out']}.yaml"
        file.write_text(yaml.safe_dump(recipe), encoding="utf-8")
        done = dr(folder, *command.split(), file)
        assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture
def recipe(place, answering, tmp_path):
    """A recipe of a short training, with changes."""

    def made(**changed):
        said = {
            "stage": "rl",
            "out": tmp_path / "out",
            "model": {"type": "pretrained", "path": str(answering)},
            "data": {"sets": [{"rows": place / "rows"}]},
            "reward": {"parts": [{"type": "format", "good": 1, "bad": -4}, {"type": "recall", "k": 1}]},
            "index": place / "index",
            "algorithm": {"type": "grpo", "group_size": 4, "kl": 0},
            "generation": {"temperature": 1, "top_p": 1, "max_prompt_length": 64, "max_new_tokens": 24},
            "steps": 30,
            "epochs": 100,
            "batch_size": 8,
            "learning_rate": 1e-3,
            "checkpoints": {"save_every": 10, "keep": 2},
            "trainer": {"type": "trl", "device": "cpu", "threads": 1},
        }
        return Recipe.model_validate(said | changed)

    return made


def test_a_ground_truth_that_the_index_lacks_is_told_before_anything_starts(recipe, place, tmp_path):
    done = dr(place, "data", "data.yaml", "out=less", "limit=3", "source.queries=null", "source.qrels=null")
    assert done.returncode == 0, done.stderr
    done = dr(place, "index", "index.yaml", "out=less-index", "data=less")
    assert done.returncode == 0, done.stderr
    with pytest.raises(ContractError, match=r"the index lacks 5 of 8 documents of the ground truth \(62.5%\)"):
        artifact.make(recipe(index=place / "less-index"), train.run)
    assert not list(tmp_path.glob("out*/logs/trainer.log"))


@pytest.mark.slow
def test_a_reward_from_a_real_index_teaches_the_words_of_the_documents(recipe):
    said = recipe(steps=40, checkpoints={"save_every": 20, "keep": 1})
    artifact.make(said, train.run)
    manifest = artifact.read(said.out, ("rl",))
    stats = manifest["stats"]
    assert stats["first"]["eval/recall/recall"] <= 0.5
    assert stats["last"]["eval/recall/recall"] >= 0.9
    assert (stats["steps"], stats["rows"], stats["held_out"]) == (40, 8, 8)
    assert stats["best"]["value"] == max(stats["first"]["eval/reward"], stats["last"]["eval/reward"])
    assert stats["ids"]["missing"] == 0
    assert stats["prompts"]["digest"]
    assert json.loads((said.out / "model/dr_prompts.json").read_text())["digest"] == stats["prompts"]["digest"]
    AutoModelForCausalLM.from_pretrained(said.out / "model")
    assert not list(said.out.rglob("optimizer*"))
    replayed = list(trials.read(said.out / "logs/rollouts.jsonl"))
    assert {trial.step for trial in replayed} == {1, *range(10, 41, 10)}
    assert {path.name for path in (said.out / "logs").iterdir()} >= {"search.log", "trainer.log", "plots"}


@pytest.mark.slow
def test_a_killed_training_goes_on_to_the_same_weights(recipe, tmp_path):
    whole, killed = recipe(out=tmp_path / "whole"), recipe(out=tmp_path / "killed")
    artifact.make(whole, train.run)
    file = tmp_path / "killed.yaml"
    file.write_text(yaml.safe_dump(killed.model_dump(mode="json")), encoding="utf-8")
    command = [sys.executable, "-m", "cli.main", "rl", "train", str(file)]
    partial = tmp_path / "killed.partial"
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        while not list(partial.glob("checkpoints/checkpoint-*/measured.json")):
            assert process.poll() is None
            time.sleep(0.02)
        os.kill(process.pid, signal.SIGKILL)
    deadline = time.monotonic() + 60
    while _alive(partial) and time.monotonic() < deadline:  # its guards end worker and search
        time.sleep(0.2)
    assert not _alive(partial)
    assert not (partial / "checkpoints/finished.json").exists()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    first, second = (load_file(made.out / "model/model.safetensors") for made in (whole, killed))
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert (whole.out / "logs/rollouts.jsonl").read_bytes() == (killed.out / "logs/rollouts.jsonl").read_bytes()


@pytest.mark.slow
def test_a_search_service_that_is_killed_stops_the_run_with_a_sentence(recipe, tmp_path):
    said = recipe(steps=5000, log_every=1, checkpoints={"save_every": 1, "keep": 2})
    file = tmp_path / "run.yaml"
    file.write_text(yaml.safe_dump(said.model_dump(mode="json")), encoding="utf-8")
    command = [sys.executable, "-m", "cli.main", "rl", "train", str(file)]
    partial = tmp_path / "out.partial"
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        while not list(partial.glob("checkpoints/checkpoint-*/measured.json")):
            assert process.poll() is None
            time.sleep(0.02)
        for serving in _alive(partial / "logs/search.yaml"):
            serving.kill()
        told = process.communicate(timeout=180)[1]
    assert process.returncode == 3
    assert "the search service ended" in told
    assert "no score was made of it" in told
    assert not _alive(partial)
    # Every right answer was paid for what it finds.
    rows = [json.loads(line) for line in (partial / "logs/rollouts.jsonl").read_text(encoding="utf-8").splitlines()]
    right = [row for row in rows if row["ground_truth"] == json.dumps({row["rewritten"]: 1}, separators=(",", ":"))]
    assert {row["parts"]["recall"] for row in right} == {1.0}


def _alive(path):
    """The processes with `path` in their command."""
    processes = psutil.process_iter(["cmdline"])
    return [process for process in processes if str(path) in (process.info["cmdline"] or [])]
