import json

import pytest

from core.errors import Missing
from core.rl.verl.train import ready


@pytest.fixture
def python(tmp_path):
    """`python("vllm")`: a program that answers as an interpreter with verl, four GPUs and these packages would."""

    def make(*packages):
        path = tmp_path / "python"
        found = json.dumps({"verl": "0.9.1"} | dict.fromkeys(packages, "1.0"))
        path.write_text(f"#!/bin/sh\ncase \"$2\" in *device_count*) echo 4;; *) echo '{found}';; esac\n")
        path.chmod(0o755)
        return path

    return make


def test_an_engine_that_is_not_installed_is_told_before_any_work(recipe, python):
    with pytest.raises(Missing, match=r"`trainer\.rollout\.engine` needs vllm"):
        ready(recipe({"python": python("flash-attn")}))


def test_a_critic_needs_flash_attention_on_gpus_however_rows_are_computed(recipe, python):
    padded = {"remove_padding": False, "python": python("vllm")}

    assert ready(recipe(padded)).release == "0.9.1"
    with pytest.raises(Missing, match="needs flash-attn"):
        ready(recipe(padded, algorithm={"type": "ppo"}))


def test_without_a_gpu_nothing_but_verl_is_needed(recipe, python):
    assert ready(recipe({"device": "cpu", "python": python()}, algorithm={"type": "ppo"})).release == "0.9.1"
