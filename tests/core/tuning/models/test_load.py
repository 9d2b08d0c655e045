import json
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

from core.errors import ArtifactError, DrError, Missing, RecipeError, UsageError
from core.tuning.models.load import load
from core.tuning.spec import Lora, Pretrained


def spec(path, **more):
    return Pretrained.model_validate({"type": "pretrained", "path": str(path), **more})


def copied(folder, place, **changed):
    shutil.copytree(folder, place)
    path = place / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changed}))
    return place


def test_weights_are_loaded_in_32_bits(small, tmp_path):
    loaded = load(spec(small), str(small))
    loaded.model.to(torch.bfloat16).save_pretrained(tmp_path / "half")
    loaded.tokenizer.save_pretrained(tmp_path / "half")
    half = load(spec(tmp_path / "half"), str(tmp_path / "half"))
    assert {weight.dtype for weight in half.model.parameters()} == {torch.float32}
    assert half.adapters is None


def test_adapters_are_as_the_recipe_says(small):
    adapters = load(spec(small, lora={"rank": 4, "alpha": 12, "target_modules": ["q_proj"]}), str(small)).adapters
    assert (adapters.r, adapters.lora_alpha, adapters.target_modules) == (4, 12, {"q_proj"})
    assert load(spec(small, lora={}), str(small)).adapters.target_modules == "all-linear"


def test_a_layer_that_is_not_there_is_told_with_the_nearest(small):
    with pytest.raises(RecipeError, match="`q_porj` is no linear layer") as told:
        load(spec(small, lora=Lora(target_modules=("q_porj",))), str(small))
    assert "q_proj" in told.value.hint


def test_a_model_without_chat_template_is_refused(small, tmp_path):
    place = copied(small, tmp_path / "bare")
    (place / "chat_template.jinja").unlink()
    with pytest.raises(DrError, match="no chat template"):
        load(spec(place), str(place))


def test_a_chat_template_that_cannot_render_an_answer_is_refused(small, tmp_path):
    place = copied(small, tmp_path / "broken")
    (place / "chat_template.jinja").write_text("{{ raise_exception('only system messages') }}")
    with pytest.raises(DrError, match=r"cannot render .* only system messages"):
        load(spec(place), str(place))


def test_an_adapter_alone_is_refused(small, tmp_path):
    place = copied(small, tmp_path / "adapter")
    (place / "adapter_config.json").write_text("{}")
    with pytest.raises(ArtifactError, match="this is an adapter"):
        load(spec(place), str(place))


def test_a_folder_without_a_model_is_told(tmp_path):
    with pytest.raises(ArtifactError, match="no model"):
        load(spec(tmp_path), str(tmp_path))


def test_a_path_that_is_not_there_is_no_name_on_the_hub():
    with pytest.raises(ArtifactError, match="no such folder"):
        load(spec("artifacts/my/nothing"), "artifacts/my/nothing")


def test_a_model_that_writes_nothing_is_refused(small, tmp_path):
    place = copied(small, tmp_path / "encoder", model_type="clip_vision_model", architectures=["CLIPVisionModel"])
    with pytest.raises(DrError, match="no causal language model"):
        load(spec(place), str(place))


def test_a_model_whose_files_lack_weights_is_refused_and_not_drawn(small, tmp_path):
    place = copied(small, tmp_path / "torn")
    weights = load_file(place / "model.safetensors")
    del weights["model.layers.0.mlp.up_proj.weight"]
    save_file(weights, place / "model.safetensors", {"format": "pt"})
    with pytest.raises(UsageError, match=r"lack 1 of the model's weights, such as `model.layers.0.mlp.up_proj.weight`"):
        load(spec(place), str(place))
    (place / "model.safetensors").write_bytes(b"torn")
    with pytest.raises(ArtifactError, match="no model can be loaded"):
        load(spec(place), str(place))


def test_quantised_weights_need_their_package(small):
    with pytest.raises(Missing, match="bitsandbytes"):
        load(spec(small, lora={}, quantize="4bit"), str(small))
