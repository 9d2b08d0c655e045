"""Interpreters that answer as one with verl would: small programs."""

import json

import pytest

from core.errors import Missing, RecipeError
from core.tuning.spec import Verl
from core.tuning.verl import interpreter


@pytest.fixture
def python(tmp_path):
    """`python({"verl": "0.9.1"}, gpus=2)`: a program that is told to print what is installed, or how many GPUs."""

    def make(packages, gpus=0):
        path = tmp_path / "python"
        found = json.dumps(packages)
        path.write_text(f"#!/bin/sh\ncase \"$2\" in *device_count*) echo {gpus};; *) echo '{found}';; esac\n")
        path.chmod(0o755)
        return path

    return make


def asked(path, **fields):
    return interpreter.ask(Verl(type="verl", python=path, **fields))


def test_it_says_what_is_installed(python):
    found = asked(python({"verl": "0.9.1", "vllm": "0.20.0"}))

    assert found.release == "0.9.1"
    assert found.has("vllm")
    assert not found.has("sglang")


def test_no_interpreter_is_told_with_what_makes_one(tmp_path):
    with pytest.raises(Missing, match="there is no interpreter with verl") as told:
        asked(tmp_path / "nowhere/python")
    assert "dr env create verl" in told.value.hint


def test_an_interpreter_without_verl_is_told(python):
    with pytest.raises(Missing, match="has no verl") as told:
        asked(python({"torch": "2.13.0"}))
    assert "dr env create verl" in told.value.hint


def test_a_program_that_is_no_interpreter_is_told(tmp_path):
    path = tmp_path / "python"
    path.write_text("#!/bin/sh\necho hello\n")
    path.chmod(0o755)

    with pytest.raises(Missing, match="does not answer as Python does"):
        asked(path)


def test_without_a_gpu_another_release_is_refused_in_a_sentence(python):
    with pytest.raises(RecipeError, match=r"made for 0\.9\.1, and 0\.9\.2 is installed"):
        asked(python({"verl": "0.9.2"}), device="cpu")


def test_on_gpus_another_release_is_warned_of(python, caplog):
    assert asked(python({"verl": "0.9.2"})).release == "0.9.2"
    assert "0.9.2" in caplog.text


def test_fewer_gpus_than_the_recipe_says_are_told(python):
    trainer = Verl(type="verl", python=python({"verl": "0.9.1"}, gpus=2), gpus=4)

    with pytest.raises(Missing, match=r"`trainer\.gpus` is 4, verl's interpreter sees 2"):
        interpreter.check_gpus(interpreter.ask(trainer), trainer)


def test_the_gpus_of_a_cluster_are_not_counted_here(python):
    trainer = Verl(type="verl", python=python({"verl": "0.9.1"}), gpus=4, ray_address="10.0.0.1:6379")

    interpreter.check_gpus(interpreter.ask(trainer), trainer)
