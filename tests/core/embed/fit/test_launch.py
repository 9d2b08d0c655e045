"""Several processes: what is started, and what comes back of it."""

import json
import shutil
import sys

import pytest
import torch

from core import worker
from core.embed.fit import launch, run
from core.embed.rows.read import read
from core.errors import DrError, Missing

TWO = {"device": "cpu" if torch.accelerator.is_available() else "auto", "processes": 2}
"""Without a GPU as a recipe has it that says nothing of the device."""


@pytest.fixture(scope="module")
def sober(recipe_for, tiny_bert, tmp_path_factory):
    """The model without dropout: what it computes does not depend on who computes it."""
    folder = tmp_path_factory.mktemp("models") / "sober"
    shutil.copytree(tiny_bert, folder)
    config = json.loads((folder / "config.json").read_text())
    config |= {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    (folder / "config.json").write_text(json.dumps(config))
    return recipe_for().model.model_dump() | {"name": str(folder)}


def train(recipe, folder):
    folder.mkdir(exist_ok=True)
    launch.train(recipe, read(recipe), folder)
    return folder


def losses(rows, name="train/loss"):
    return {step: values[name] for step, values in rows if name in values}


def test_the_command_is_plain_data(tmp_path):
    command = launch.command(tmp_path, 2)
    assert command.argv == (
        *(sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"),
        *("--module", "core.embed.fit.worker", str(tmp_path)),
    )
    assert int(command.env["OMP_NUM_THREADS"]) >= 1


def test_one_process_is_enough_where_there_is_no_gpu(recipe_for):
    assert launch.processes(recipe_for()) == 1
    assert launch.processes(recipe_for(machine=TWO)) == 2


def test_an_error_keeps_its_sentence_and_exit_code():
    error = worker.told(worker.written(Missing("no GPU", where="here", hint="there")))
    assert (error.exit_code, error.render()) == (3, Missing("no GPU", where="here", hint="there").render())


def test_deepspeed_that_is_not_installed_is_told_before_anything_starts(recipe_for, tmp_path):
    recipe = recipe_for(machine={"device": "cpu", "deepspeed": "zero2"})
    with pytest.raises(Missing, match="deepspeed") as raised:
        launch.train(recipe, read(recipe), tmp_path)
    assert "pip install deepspeed" in raised.value.hint
    assert not list(tmp_path.iterdir())


@pytest.fixture(scope="module")
def two(recipe_for, sober, tmp_path_factory):
    """Two gloo processes of 16 rows each; 20 rows are held out, fewer than both have in a batch."""
    recipe = recipe_for(model=sober, machine=TWO, batch_size=16, log_every=1, checkpoints={"save_every": 4})
    return train(recipe, tmp_path_factory.mktemp("two") / "a")


def test_two_processes_train_as_one_with_a_batch_twice_as_large(two, recipe_for, sober, fitted, metrics, tmp_path):
    one = fitted(tmp_path, model=sober, batch_size=32, log_every=1, checkpoints={"save_every": 4})
    assert run.finished(two) == {"steps": 6, "warnings": []}
    assert losses(metrics(two)) == pytest.approx(losses(metrics(one)), rel=1e-4)
    # Sums in another order round differently, so two documents of one score may change places: 0.37 / 20 queries.
    assert losses(metrics(two), "eval/ndcg@10") == pytest.approx(losses(metrics(one), "eval/ndcg@10"), abs=0.05)
    assert losses(metrics(two))[6] < losses(metrics(two))[1]
    assert not (two / worker.FOLDER).exists()


@pytest.mark.slow
def test_two_processes_go_on_from_a_checkpoint_as_if_nothing_had_been(two, recipe_for, sober, metrics, tmp_path):
    shutil.copytree(two / "checkpoints/checkpoint-4", tmp_path / "checkpoints/checkpoint-4")
    assert {"rng_state_0.pth", "rng_state_1.pth"} <= {path.name for path in two.glob("checkpoints/checkpoint-4/*")}
    recipe = recipe_for(model=sober, machine=TWO, batch_size=16, log_every=1, checkpoints={"save_every": 4})
    train(recipe, tmp_path)
    assert metrics(tmp_path) == [row for row in metrics(two) if row[0] > 4]
    last = "checkpoints/checkpoint-6/model.safetensors"
    assert (tmp_path / last).read_bytes() == (two / last).read_bytes()


@pytest.mark.slow
def test_what_goes_wrong_in_a_process_is_told_as_if_it_were_this_one(recipe_for, fitted, tmp_path):
    loss = {"type": "infonce", "temperature": 1e-39}
    with pytest.raises(DrError, match="the loss is nan") as here:
        fitted(tmp_path / "one", loss=loss)
    recipe = recipe_for(loss=loss, machine=TWO)
    with pytest.raises(DrError) as there:
        train(recipe, tmp_path / "two")
    assert there.value.render() == here.value.render()
    assert there.value.exit_code == here.value.exit_code
