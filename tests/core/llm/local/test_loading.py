"""A model that cannot be asked is refused with a sentence."""

import json
import shutil

import pytest
from safetensors.torch import load_file, save_file

from core.errors import UsageError
from core.llm.local.loading import load


@pytest.fixture
def folder(tiny_qwen3, tmp_path):
    """A copy of the model, to be spoilt."""
    return shutil.copytree(tiny_qwen3, tmp_path / "model")


def edit(path, **fields):
    path.write_text(json.dumps({**json.loads(path.read_text()), **fields}))


def test_what_it_reads_and_what_ends_its_answers_come_from_its_files(folder):
    loaded = load(str(folder))
    assert (loaded.max_tokens, loaded.ends) == (4096, frozenset({2}))
    edit(folder / "generation_config.json", eos_token_id=[0, 2])
    assert load(str(folder), max_tokens=100).ends == frozenset({0, 2})
    assert load(str(folder), max_tokens=100).max_tokens == 100


def test_a_model_without_chat_template_is_refused(folder):
    (folder / "chat_template.jinja").unlink()
    with pytest.raises(UsageError, match="no chat template"):
        load(str(folder))


def test_a_model_without_tokenizer_is_refused(folder):
    (folder / "tokenizer.json").unlink()
    (folder / "tokenizer_config.json").unlink()
    with pytest.raises(UsageError, match="the model has no tokenizer"):
        load(str(folder))


def test_a_torn_file_of_weights_is_refused(folder):
    whole = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UsageError, match="cannot be read"):
        load(str(folder))


def test_weights_that_are_not_all_there_are_refused_and_not_drawn_anew(folder):
    weights = load_file(folder / "model.safetensors")
    del weights["model.layers.1.mlp.up_proj.weight"]
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(UsageError, match=r"lack 1 of the model's weights, such as `model.layers.1.mlp.up_proj.weight`"):
        load(str(folder))


def test_weights_of_another_shape_are_refused(folder):
    edit(folder / "config.json", intermediate_size=64)
    with pytest.raises(UsageError, match="cannot be read"):
        load(str(folder))


def test_another_models_tokenizer_is_refused(folder):
    added = json.loads((folder / "tokenizer.json").read_text())
    more = {**added["added_tokens"][0], "content": "<more>", "id": 259}
    added["added_tokens"].append(more)
    (folder / "tokenizer.json").write_text(json.dumps(added))
    with pytest.raises(UsageError, match="the tokenizer has 260 tokens, the model 259"):
        load(str(folder))


def test_more_tokens_than_the_model_reads_are_refused(folder):
    with pytest.raises(UsageError, match=r"`max_model_len` is 5,000, the model reads 4,096"):
        load(str(folder), max_tokens=5000)
