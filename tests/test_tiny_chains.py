"""The tiny recipes of every family run for real, from the samples to a trained model, without a GPU or a hub."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FAMILIES = (
    "beir-bm25",
    "beir-dense",
    "evidence-qa",
    "finance-choice",
    "finance-rewriting",
    "pubmed",
    "search-agent",
    "sql",
    "trials",
)


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_has_a_recipe_a_tiny_one_and_the_chain_before_it(family):
    for name in (f"rl/{family}", f"rl/{family}-tiny", f"training/{family}-tiny"):
        assert (ROOT / "recipes" / f"{name}.yaml").is_file(), name


def test_no_tiny_recipe_is_left_out():
    there = {path.stem.removesuffix("-tiny") for path in (ROOT / "recipes/rl").glob("*-tiny.yaml")}
    assert there == {*FAMILIES, "probe", "verl"}


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder far from the checkout; families share what they have in common."""
    return tmp_path_factory.mktemp("far")


@pytest.mark.slow
@pytest.mark.parametrize("family", FAMILIES)
def test_a_chain_makes_a_model_and_its_answers_earn_something(family, place):
    command = [sys.executable, "-m", "cli.main", "run", f"training/{family}-tiny", "--json"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(command, cwd=place, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-4000:]
    steps = json.loads(done.stdout)["steps"]
    (out,) = [Path(step["out"]) for step in steps if step["stage"] == "rl"]
    assert (place / out / "model" / "config.json").is_file()
    rollouts = [json.loads(line) for line in (place / out / "logs/rollouts.jsonl").read_text().splitlines()]
    assert len({rollout["score"] for rollout in rollouts}) > 1
