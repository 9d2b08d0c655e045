"""The whole stage, its process included."""

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
from transformers import AutoModelForCausalLM, AutoTokenizer

from core import artifact
from core.errors import DrError
from core.sft import train


def answer(folder, question):
    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModelForCausalLM.from_pretrained(folder)
    messages = [{"role": "user", "content": question}]
    prompt = tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_tensors="pt", return_dict=True)
    with torch.no_grad():
        ids = model.generate(**prompt, max_new_tokens=40, do_sample=False)[0, prompt["input_ids"].shape[1] :]
    return tokenizer.decode(ids, skip_special_tokens=True)


@pytest.fixture(scope="module")
def made(recipe):
    """A training long enough to learn the form of an answer."""
    said = recipe(epochs=20, learning_rate=1e-2, checkpoints={"keep": 2, "save_every": 20})
    artifact.make(said, train.run)
    return said


def test_a_model_from_nothing_learns_to_answer_in_form(made):
    manifest = artifact.read(made.out, ("sft",))
    assert answer(made.out / "model", "rewrite u3 u4").startswith('<think> x </think>\n<answer>{"query": "d')
    stats = manifest["stats"]
    assert stats["first"]["eval/loss"] > 5 > 2 > stats["last"]["eval/loss"]
    assert stats["best"]["value"] == stats["last"]["eval/loss"]
    assert stats["steps"] == stats["best"]["step"] == 60
    assert (stats["warnings"], stats["prompts"]) == ([], None)
    assert {"train/loss", "train/learning_rate", "train/grad_norm", "time/step_seconds", "eval/loss"} <= {
        *stats["last"]
    }


def test_the_artifact_holds_what_a_reader_needs_and_nothing_of_the_making(made):
    assert {path.name for path in made.out.iterdir()} == {"manifest.json", "model", "checkpoints", "rows", "logs"}
    assert {path.name for path in (made.out / "checkpoints").iterdir()} == {
        "checkpoint-40",
        "checkpoint-60",
        "best.json",
        "plan.json",
        "finished.json",
    }
    assert not list(made.out.rglob("optimizer*"))
    assert (made.out / "logs/plots/loss.png").stat().st_size
    assert (made.out / "logs/trainer.log").stat().st_size


@pytest.mark.slow
def test_adapters_are_trained_on_a_model_of_ours_and_merged(made, recipe, rows):
    model = {"type": "pretrained", "path": str(made.out), "lora": {"rank": 4, "alpha": 8}}
    trainer = {"type": "trl", "device": "cpu", "threads": 1, "gradient_checkpointing": True, "micro_batch_size": 16}
    said = recipe(model=model, data={"sets": [{"rows": rows("z")}]}, trainer=trainer, learning_rate=5e-2)
    artifact.make(said, train.run)
    manifest = artifact.read(said.out)
    assert manifest["inputs"]["model.path"]
    assert manifest["stats"]["last"]["eval/loss"] < manifest["stats"]["first"]["eval/loss"]
    before, after = (load_file(out / "model/model.safetensors") for out in (made.out, said.out))
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed
    assert all("_proj" in name for name in changed)
    assert {path.name for path in (said.out / "adapter").iterdir()} == {
        "adapter_config.json",
        "adapter_model.safetensors",
    }
    assert answer(said.out / "model", "rewrite u3 u4")


@pytest.mark.slow
def test_what_goes_wrong_in_the_process_is_told_as_it_was_there(made, recipe, tmp_path):
    model = AutoModelForCausalLM.from_pretrained(made.out / "model")
    model.save_pretrained(tmp_path / "bare")
    tokenizer = AutoTokenizer.from_pretrained(made.out / "model")
    tokenizer.chat_template = None
    tokenizer.save_pretrained(tmp_path / "bare")
    with pytest.raises(DrError, match="the model has no chat template"):
        artifact.make(recipe(model={"type": "pretrained", "path": str(tmp_path / "bare")}), train.run)


@pytest.mark.slow
def test_a_killed_training_goes_on_to_the_same_weights(recipe, tmp_path):
    said = {"epochs": 40, "checkpoints": {"keep": 2, "save_every": 10}}
    whole, killed = recipe(**said), recipe(**said)
    artifact.make(whole, train.run)
    file = tmp_path / "killed.yaml"
    file.write_text(yaml.safe_dump(killed.model_dump(mode="json")), encoding="utf-8")
    command = [sys.executable, "-m", "cli.main", "sft", "train", str(file)]
    partial = killed.out.with_name("out.partial")
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        while not list(partial.glob("checkpoints/checkpoint-*/measured.json")):
            assert process.poll() is None
            time.sleep(0.02)
        os.kill(process.pid, signal.SIGKILL)
    deadline = time.monotonic() + 60
    while _alive(str(partial)) and time.monotonic() < deadline:  # its guard ends the worker
        time.sleep(0.2)
    assert not (partial / "checkpoints/finished.json").exists()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    first, second = (load_file(r.out / "model/model.safetensors") for r in (whole, killed))
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert (
        artifact.read(whole.out)["stats"]["last"]["eval/loss"]
        == artifact.read(killed.out)["stats"]["last"]["eval/loss"]
    )


def _alive(folder):
    """Whether a process still works in `folder`."""
    commands = [process.info["cmdline"] or [] for process in psutil.process_iter(["cmdline"])]
    return any("core.sft.trl.worker" in command and folder in command for command in commands)
