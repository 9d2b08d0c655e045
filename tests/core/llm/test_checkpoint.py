"""Models that we trained: where they lie, what tells them apart, the prompts that they know."""

import json

import pytest

from core import artifact
from core.errors import ArtifactError
from core.llm.chat import Message, Request
from core.llm.checkpoint import differs, identity, prompts, resolve
from core.llm.spec import Llm
from core.recipe import ArtifactRecipe

FACTS = {"name": "medicine", "digest": "a" * 64}


class Training(ArtifactRecipe):
    """Stands for the recipe of `dr rl train`."""

    stage: str = "rl"


def trained(out, weights="w"):
    def fill(_, work):
        (work.path / "model").mkdir()
        (work.path / "model/weights").write_text(weights)
        (work.path / "model/dr_prompts.json").write_text(json.dumps(FACTS))

    artifact.make(Training(out=out), fill, force=True)
    return str(out)


def test_an_artifact_means_its_model_and_all_else_itself(tmp_path):
    name = trained(tmp_path / "rl")
    assert resolve(name) == f"{name}/model"
    assert resolve(str(tmp_path)) == str(tmp_path)
    assert resolve("Qwen/Qwen3-0.6B") == "Qwen/Qwen3-0.6B"


def test_the_prompts_are_found_under_the_artifact_and_under_its_folder(tmp_path):
    name = trained(tmp_path / "rl")
    assert prompts(name) == prompts(f"{name}/model") == FACTS
    assert prompts(str(tmp_path)) is None
    (tmp_path / "rl/model/dr_prompts.json").write_text("torn")
    with pytest.raises(ArtifactError, match="damaged"):
        prompts(name)


def test_other_prompts_than_the_models_are_told(tmp_path):
    name = trained(tmp_path / "rl")
    assert differs(name, FACTS) is None
    assert differs("Qwen/Qwen3-0.6B", {"name": "general", "digest": "b"}) is None
    told = differs(name, {"name": "general", "digest": "b"})
    assert "was trained with the prompts `medicine`" in told and "is asked with the prompts `general`" in told


def test_answers_of_a_model_are_not_those_of_another_that_takes_its_place(tmp_path):
    request = Request((Message("user", "q"),))

    def digest(**server):
        return request.digest(Llm.model_validate({"server": server}))

    local = {"type": "local", "model": trained(tmp_path / "rl")}
    first = digest(**local)
    assert digest(**local) == first
    trained(tmp_path / "rl", "other weights")
    assert digest(**local) != first
    assert identity("Qwen/Qwen3-0.6B") == "Qwen/Qwen3-0.6B"
    assert digest(type="vllm", model="m") == digest(type="openai", model="m")
