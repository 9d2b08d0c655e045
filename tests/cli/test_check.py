"""What a stage checks before it starts: `--dry-run` stops there, every start goes through it."""

import json
import os
import subprocess
import sys

import pytest

from core import artifact
from core.formats import verl
from core.formats.messages import ASSISTANT, USER
from core.recipe import ArtifactRecipe


@pytest.fixture
def home(tmp_path):
    """Conversations, and a recipe that fine-tunes a new model on them."""

    def fill(_, work):
        writer = verl.Writer(work.path / "sft/train.parquet", verl.sft_schema("sft"))
        for number in range(8):
            turns = ((USER, f"What is {number}?"), (ASSISTANT, f"It is {number}."))
            writer.write({"messages": [{"role": role, "content": content} for role, content in turns]})
        writer.close()

    artifact.make(ArtifactRecipe(stage="rows", out=tmp_path / "rows"), fill)
    recipe = {"stage": "sft", "out": "out", "model": {"type": "new", "hidden_size": 16, "layers": 1, "heads": 2}}
    recipe |= {"data": {"sets": [{"rows": "rows"}], "held_out": None}, "batch_size": 4, "steps": 1}
    (tmp_path / "sft.yaml").write_text(json.dumps(recipe))
    (tmp_path / "pipeline.yaml").write_text(json.dumps({"stage": "run", "steps": [{"recipe": "sft.yaml"}]}))
    return tmp_path


@pytest.fixture
def dr(home, root):
    def run(*argv, status=0):
        command = [sys.executable, "-m", "cli.main", *argv]
        done = subprocess.run(
            command, cwd=home, env={**os.environ, "PYTHONPATH": str(root)}, capture_output=True, text=True, check=False
        )
        assert done.returncode == status, done.stderr
        assert "Traceback" not in done.stderr
        return done.stdout, done.stderr

    return run


def test_a_dry_run_checks_and_stops_there(home, dr):
    out, err = dr("sft", "train", "sft.yaml", "--dry-run")
    assert out.startswith("stage: sft\n")
    first, *seen = err.splitlines()
    assert first == "would make out"
    assert seen[0] == "rows: 8 an epoch, 0 held out"
    assert [line.partition(":")[0] for line in seen] == ["rows", "model", "tokens", "estimate", "disk"]
    assert sorted(path.name for path in home.iterdir()) == ["pipeline.yaml", "rows", "sft.yaml"]


@pytest.mark.slow
def test_a_doubt_of_the_check_is_a_warning_and_stands_in_the_json(dr):
    told = json.loads(dr("sft", "train", "sft.yaml", "max_length=16", "--dry-run", "--json")[0])
    assert told["would"] == "make out" and told["recipe"]["max_length"] == 16
    assert any(line.startswith("warning: 100.0% of the conversations are cut") for line in told["check"])
    _, err = dr("sft", "train", "sft.yaml", "max_length=16", "--dry-run", "-q")
    assert err.startswith("warning: 100.0% of the conversations are cut")


@pytest.mark.parametrize(
    "argv", [pytest.param(("sft", "train", "sft.yaml"), marks=pytest.mark.slow), ("run", "pipeline.yaml")]
)
def test_a_start_that_would_fail_makes_nothing(home, dr, argv):
    recipe = json.loads((home / "sft.yaml").read_text()) | {
        "trainer": {"type": "trl", "overrides": {"lerning_rate": 1}}
    }
    (home / "sft.yaml").write_text(json.dumps(recipe))
    _, err = dr(*argv, status=2)
    assert "error: `lerning_rate` is no argument of SFTConfig" in err
    assert "did you mean `learning_rate`" in err
    assert not [path for path in home.iterdir() if path.name.startswith("out")]


@pytest.mark.slow
def test_a_dry_run_that_would_fail_shows_the_recipe_and_fails(dr):
    out, _ = dr("sft", "train", "sft.yaml", "trainer.overrides.x=1", "--dry-run", "--json", status=2)
    told = json.loads(out)
    assert told["error"] == "`x` is no argument of SFTConfig"
    assert told["recipe"]["stage"] == "sft"


def test_a_dry_run_whose_inputs_are_not_there_says_so_and_checks_nothing(dr):
    _, err = dr("sft", "train", "sft.yaml", "data.sets.0.rows=nowhere", "--dry-run")
    assert err.startswith("would stop: ")
    assert len(err.splitlines()) == 1


@pytest.mark.slow
def test_what_is_up_to_date_is_not_checked_again(dr):
    _, err = dr("sft", "train", "sft.yaml")
    assert "rows: 8 an epoch, 0 held out" in err
    _, err = dr("sft", "train", "sft.yaml")
    assert "rows: " not in err and "up to date" in err
    _, err = dr("sft", "train", "sft.yaml", "--dry-run")
    assert err.splitlines() == ["would do nothing: out is up to date"]
