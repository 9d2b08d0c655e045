"""What is wrong with a model is said before its weights are loaded, with the place and what to do."""

import pytest
import torch
from safetensors.torch import load_file, save_file

from core.embed.models.build import build, check
from core.embed.models.saved import save
from core.embed.models.spec import Lora, Pretrained
from core.errors import ArtifactError, Missing, RecipeError


def spec(folder, **fields):
    return Pretrained(type="pretrained", name=str(folder), **{"pooling": "cls"} | fields)


def test_whole_models_pass(tiny_bert, tiny_qwen3, static_model):
    check(spec(tiny_bert))
    check(spec(tiny_qwen3, lora=Lora()))
    check(spec(static_model, pooling=None))


def test_a_model_without_a_tokenizer_is_refused(tiny_bert, copy_of):
    folder = copy_of(tiny_bert)
    for file in folder.glob("tokenizer*"):
        file.unlink()
    with pytest.raises(ArtifactError, match="has no tokenizer") as told:
        check(spec(folder))
    assert told.value.where == str(folder)


def test_a_transformers_that_is_too_old_is_named_with_the_version_to_get(tiny_bert, copy_of):
    folder = copy_of(tiny_bert, "config.json", model_type="bert9", transformers_version="99.1.0")
    with pytest.raises(Missing, match=r"knows no model `bert9`; its config.json was written with 99\.1\.0") as told:
        check(spec(folder))
    assert told.value.exit_code == 3
    assert "transformers>=99.1.0" in told.value.hint
    assert told.value.where == str(folder / "config.json")


def test_a_config_without_a_model_type_is_refused(tiny_bert, copy_of):
    with pytest.raises(ArtifactError, match="without `model_type`"):
        check(spec(copy_of(tiny_bert, "config.json", model_type=None)))


def test_a_config_that_is_no_json_is_refused(tiny_bert, copy_of):
    folder = copy_of(tiny_bert)
    (folder / "config.json").write_text("{")
    with pytest.raises(ArtifactError, match="no JSON") as told:
        check(spec(folder))
    assert told.value.where == str(folder / "config.json")


@pytest.mark.parametrize("file", ["config.json", "tokenizer_config.json"])
def test_code_of_a_model_does_not_run_unless_the_recipe_says_so(tiny_bert, copy_of, tmp_path, file):
    folder = copy_of(tiny_bert, file, auto_map={"AutoModel": "mine.Model", "AutoConfig": "mine.Config"})
    (folder / "mine.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\nclass Model: ...\nclass Config: ...\n")
    with pytest.raises(RecipeError, match="wants to run code of its own") as told:
        build(spec(folder), (), "cpu")
    assert told.value.where == str(folder / file)
    assert "model.trust_remote_code=true" in told.value.hint
    assert not (tmp_path / "ran").exists()


def test_a_foreign_module_is_code_that_the_recipe_may_allow(tiny_bert, tmp_path):
    save(build(spec(tiny_bert), (), "cpu"), tmp_path / "model")
    path = tmp_path / "model/modules.json"
    path.write_text(path.read_text().replace("sentence_transformers.base.modules.normalize.Normalize", "mine.Doubled"))
    (tmp_path / "model/mine.py").write_text(
        "from torch import nn\n"
        "class Doubled(nn.Module):\n"
        "    def forward(self, features, **kwargs):\n"
        "        features['sentence_embedding'] = 2 * features['sentence_embedding']\n"
        "        return features\n"
        "    @classmethod\n"
        "    def load(cls, path):\n"
        "        return cls()\n"
    )
    with pytest.raises(RecipeError, match=r"wants to run the class mine.Doubled") as told:
        check(spec(tmp_path / "model"))
    assert told.value.where == str(path)
    allowed = build(spec(tmp_path / "model", trust_remote_code=True), (), "cpu")
    assert type(allowed[-1]).__name__ == "Doubled"


def test_weights_as_pickle_are_refused(tiny_bert, tmp_path, copy_of):
    folder = copy_of(tiny_bert)
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    check(spec(folder))  # safetensors lie beside it, and those are read
    (folder / "model.safetensors").unlink()
    with pytest.raises(ArtifactError, match=r"a pickle \(pytorch_model.bin\), which can run code"):
        check(spec(folder))
    (folder / "pytorch_model.bin").unlink()
    with pytest.raises(ArtifactError, match="it has no weights"):
        check(spec(folder))


def test_a_projection_as_pickle_is_refused(tiny_bert, tmp_path):
    save(build(spec(tiny_bert, projection=8), (), "cpu"), tmp_path / "model")
    dense = tmp_path / "model/2_Dense"
    torch.save(load_file(dense / "model.safetensors"), dense / "pytorch_model.bin")
    (dense / "model.safetensors").unlink()
    with pytest.raises(ArtifactError, match="a pickle") as told:
        check(spec(tmp_path / "model"))
    assert told.value.where == str(dense)


def test_a_trainers_own_files_beside_the_model_are_no_weights(tiny_bert, tmp_path):
    save(build(spec(tiny_bert), (), "cpu"), tmp_path / "model")
    for name in ("optimizer.pt", "rng_state.pth", "training_args.bin"):
        (tmp_path / "model" / name).write_bytes(b"")
    check(spec(tmp_path / "model", pooling=None))


def test_weights_that_are_cut_off_are_found_before_loading(tiny_bert, copy_of):
    folder = copy_of(tiny_bert)
    whole = (folder / "model.safetensors").read_bytes()
    for length in (len(whole) - 1, 100, 3):
        (folder / "model.safetensors").write_bytes(whole[:length])
        with pytest.raises(ArtifactError, match="cut off"):
            check(spec(folder))


def test_weights_of_another_model_are_refused(tiny_bert, copy_of):
    # The library would go on with random numbers.
    folder = copy_of(tiny_bert)
    weights = load_file(folder / "model.safetensors")
    renamed = {name.replace("weight", "kernel").replace("bias", "shift"): tensor for name, tensor in weights.items()}
    save_file(renamed, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ArtifactError, match="not this model's"):
        build(spec(folder), (), "cpu")


@pytest.mark.parametrize(
    ("name", "usual"), [("tiny_qwen3", "model.pooling=last"), ("tiny_bert", "model.pooling=cls or model.pooling=mean")]
)
def test_a_plain_transformer_has_to_be_told_its_pooling(request, name, usual):
    with pytest.raises(RecipeError, match="does not say which vector") as told:
        check(spec(request.getfixturevalue(name), pooling=None))
    assert told.value.where == "model.pooling"
    assert usual in told.value.hint


def test_more_tokens_than_the_model_reads_are_refused(tiny_bert):
    with pytest.raises(RecipeError, match="reads 128 tokens at most, the recipe says 512") as told:
        check(spec(tiny_bert, max_tokens=512))
    assert told.value.where == "model.max_tokens"


@pytest.mark.parametrize("fields", [{"pooling": "mean"}, {"append_eos": True}, {"lora": Lora()}])
def test_a_table_of_vectors_takes_no_transformers_fields(static_model, fields):
    with pytest.raises(RecipeError, match="takes no") as told:
        check(spec(static_model, **{"pooling": None} | fields))
    assert told.value.where == f"model.{next(iter(fields))}"


@pytest.mark.parametrize("name", ["./nothing/here", "/nothing/here", "a/b/c"])
def test_a_folder_that_is_not_there_is_missing(name):
    with pytest.raises(Missing, match="there is no folder"):
        check(spec(name))


def test_a_folder_has_no_revision(tiny_bert):
    with pytest.raises(RecipeError, match="has no revision `v2`") as told:
        check(spec(tiny_bert, revision="v2"))
    assert told.value.where == "model.revision"
