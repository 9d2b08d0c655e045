"""From shards to a model: the merger's command, and what is said when there is nothing to merge. No verl is needed;
the slow tests of core/rl/verl merge what it trained."""

import pytest

from core.errors import ContractError, ProcessFailed
from core.tuning.verl.merge import command, merge


def checkpoint(folder, *below):
    place = folder.joinpath("global_step_3", *below)
    place.mkdir(parents=True)
    (place / "fsdp_config.json").write_text('{"world_size": 1}', encoding="utf-8")
    return folder / "global_step_3"


@pytest.fixture
def interpreter(tmp_path):
    """A program in the place of verl's interpreter, which runs `script` with the folder of the model as $place."""

    def made(script):
        program = tmp_path / "python"
        program.write_text(f"#!/bin/sh\nfor place; do :; done\n{script}\n", encoding="utf-8")
        program.chmod(0o755)
        return program

    return made


def test_the_actor_of_reinforcement_learning_is_merged_and_never_its_critic(tmp_path):
    (tmp_path / "global_step_3/critic").mkdir(parents=True)
    found = command(checkpoint(tmp_path, "actor"), tmp_path / "model", tmp_path / "python")
    told = ["-m", "verl.model_merger", "merge", "--backend", "fsdp", "--local_dir"]
    told += [str(tmp_path / "global_step_3/actor"), "--target_dir", str(tmp_path / "model")]
    assert found.argv == (str(tmp_path / "python"), *told)


def test_fine_tuning_has_its_shards_in_the_checkpoint_itself(tmp_path):
    found = command(checkpoint(tmp_path), tmp_path / "model", tmp_path / "python", trust_remote_code=True)
    assert str(tmp_path / "global_step_3") in found.argv
    assert found.argv[-1] == "--trust-remote-code"


def test_a_folder_without_shards_is_refused_before_anything_starts(tmp_path):
    (tmp_path / "checkpoint-3").mkdir()
    with pytest.raises(ContractError, match="no checkpoint of verl"):
        merge(tmp_path / "checkpoint-3", tmp_path / "model", tmp_path / "nowhere", tmp_path / "log")


def test_adapters_are_given_in_the_place_of_the_model_that_they_belong_to(tmp_path, interpreter):
    place, saved = tmp_path / "model", checkpoint(tmp_path, "actor")
    assert merge(saved, place, interpreter(""), tmp_path / "log") == place
    assert merge(saved, place, interpreter('mkdir "$place/lora_adapter"'), tmp_path / "log") == place / "lora_adapter"


def test_what_lay_there_before_is_gone(tmp_path, interpreter):
    place = tmp_path / "model"
    place.mkdir()
    (place / "old").touch()
    merge(checkpoint(tmp_path), place, interpreter('touch "$place/new"'), tmp_path / "log")
    assert [path.name for path in place.iterdir()] == ["new"]


def test_a_merger_that_fails_is_quoted(tmp_path, interpreter):
    failing = interpreter('echo "shard 3 is torn"; exit 1')
    with pytest.raises(ProcessFailed, match=r"global_step_3 could not be merged: .*\n.*shard 3 is torn"):
        merge(checkpoint(tmp_path), tmp_path / "model", failing, tmp_path / "log")
