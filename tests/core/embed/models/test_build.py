"""A model is built as the recipe says, and plain sentence-transformers loads from its folder the same model."""

import json

import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer
from transformers import AutoModel, AutoTokenizer

from core.embed.models.build import base, build
from core.embed.models.saved import save
from core.embed.models.spec import Pretrained, Static
from core.errors import ArtifactError, RecipeError

TASK = "Instruct: Given a question, find the passage\nQuery:"


def made(folder, **fields):
    return build(Pretrained(type="pretrained", name=str(folder), **fields), (), "cpu")


def again(model, folder):
    """The model, saved and loaded by sentence-transformers alone."""
    save(model, folder)
    return SentenceTransformer(str(folder), device="cpu")


@pytest.mark.parametrize(("mode", "end"), [("last", "<|endoftext|>"), ("cls", ""), ("mean", "")])
def test_a_causal_transformer_is_pooled_as_by_hand(tiny_qwen3, texts, by_hand, mode, end):
    np.testing.assert_allclose(
        made(tiny_qwen3, pooling=mode).encode(texts), by_hand(tiny_qwen3, texts, mode, end), atol=1e-5
    )


@pytest.mark.parametrize("mode", ["last", "cls", "mean"])
def test_a_bert_is_pooled_as_by_hand(tiny_bert, texts, by_hand, mode):
    np.testing.assert_allclose(made(tiny_bert, pooling=mode).encode(texts), by_hand(tiny_bert, texts, mode), atol=1e-5)


@pytest.mark.parametrize("name", ["tiny_qwen3", "tiny_bert"])
@pytest.mark.parametrize("mode", ["last", "cls", "mean"])
def test_a_saved_model_gives_the_same_vectors_alone_and_in_a_batch(request, tmp_path, texts, name, mode):
    fields = {"pooling": mode, "query_prompt": TASK, "document_prompt": "passage: ", "max_tokens": 64}
    model = made(request.getfixturevalue(name), projection=8, **fields)
    loaded = again(model, tmp_path / "model")
    for encode in ("encode_query", "encode_document"):
        before = getattr(model, encode)(texts)
        after = getattr(loaded, encode)(texts)
        np.testing.assert_array_equal(before, after)
        alone = np.concatenate([getattr(loaded, encode)([text], batch_size=1) for text in texts])
        np.testing.assert_allclose(alone, after, atol=1e-5)
    assert after.shape == (len(texts), 8)
    assert loaded.prompts == {"query": TASK, "document": "passage: "}
    assert loaded.max_seq_length == 64
    assert loaded.similarity_fn_name == "cosine"
    assert [type(module).__name__ for module in loaded] == ["Transformer", "Pooling", "Dense", "Normalize"]


def test_the_official_form_of_qwen3_embedding_is_met(tiny_qwen3, tmp_path, texts):
    def last_token_pool(states_BTH, mask_BT):
        if mask_BT[:, -1].sum() == mask_BT.shape[0]:  # padded on the left
            return states_BTH[:, -1]
        return states_BTH[torch.arange(len(states_BTH)), mask_BT.sum(1) - 1]

    model = again(made(tiny_qwen3, pooling="last", query_prompt=TASK, document_prompt=""), tmp_path / "model")
    tokenizer, bare = AutoTokenizer.from_pretrained(tiny_qwen3), AutoModel.from_pretrained(tiny_qwen3).eval()
    tokenizer.padding_side = "left"
    for prompt, mine in ((TASK, model.encode_query(texts)), ("", model.encode_document(texts))):
        batch = tokenizer([f"{prompt}{text}<|endoftext|>" for text in texts], padding=True, return_tensors="pt")
        assert not batch.attention_mask.all()
        with torch.no_grad():
            pooled = last_token_pool(bare(**batch).last_hidden_state, batch.attention_mask)
        official = torch.nn.functional.normalize(pooled, dim=1).numpy()
        np.testing.assert_allclose(mine, official, atol=1e-5)
    assert model.tokenizer.padding_side == "left"
    features = model.preprocess(texts)
    assert features["attention_mask"][:, -1].all()
    assert (features["input_ids"][:, -1] == tokenizer.convert_tokens_to_ids("<|endoftext|>")).all()


def test_a_folder_of_sentence_transformers_keeps_its_contract(tiny_qwen3, tmp_path, texts):
    first = made(tiny_qwen3, pooling="last", query_prompt=TASK)
    save(first, tmp_path / "model")
    model = made(tmp_path / "model")
    np.testing.assert_array_equal(model.encode_query(texts), first.encode_query(texts))
    assert model.tokenizer.padding_side == "left"
    assert model.prompts["query"] == TASK


def test_the_end_of_a_text_is_kept_when_it_is_cut(tiny_qwen3, tmp_path):
    model = again(made(tiny_qwen3, pooling="last", max_tokens=5), tmp_path / "model")
    ids = model.preprocess(["abcdefghijkl"])["input_ids"][0].tolist()
    assert len(ids) == 5
    assert model.tokenizer.convert_ids_to_tokens(ids[-1]) == "<|endoftext|>"


def test_the_recipe_changes_the_pooling_of_a_finished_model(tiny_bert, tmp_path, texts, by_hand):
    save(made(tiny_bert, pooling="mean"), tmp_path / "model")
    model = made(tmp_path / "model", pooling="cls")
    np.testing.assert_allclose(model.encode(texts), by_hand(tiny_bert, texts, "cls"), atol=1e-5)


def test_an_empty_document_prompt_takes_away_the_one_under_another_name(tiny_bert, tmp_path):
    model = made(tiny_bert, pooling="mean")
    model.prompts = {"query": "q: ", "passage": "p: "}
    save(model, tmp_path / "model")
    assert made(tmp_path / "model", document_prompt="").prompts == {"query": "q: ", "document": ""}


def test_the_base_has_the_contract_and_not_the_projection(tiny_bert, texts, by_hand):
    spec = Pretrained(type="pretrained", name=str(tiny_bert), pooling="cls", projection=8, query_prompt="q")
    before = base(spec, "cpu")
    assert before.prompts["query"] == "q"
    np.testing.assert_allclose(before.encode(texts), by_hand(tiny_bert, texts, "cls"), atol=1e-5)


def test_a_projection_is_linear_and_stands_before_normalize(tiny_bert, texts, by_hand):
    model = made(tiny_bert, pooling="cls", projection=8)
    layer = model[2].linear
    inner = AutoModel.from_pretrained(tiny_bert).eval()
    tokenizer = AutoTokenizer.from_pretrained(tiny_bert)
    with torch.no_grad():
        states = inner(**tokenizer(texts[:1], return_tensors="pt")).last_hidden_state[:, 0]
        expected = torch.nn.functional.normalize(states @ layer.weight.T + layer.bias, dim=1)
    np.testing.assert_allclose(model.encode(texts[:1]), expected.numpy(), atol=1e-5)
    assert layer.weight.requires_grad


def test_trained_weights_are_float32_whatever_the_file_holds(tiny_bert, tmp_path):
    folder = tmp_path / "half"
    AutoModel.from_pretrained(tiny_bert, dtype=torch.bfloat16).save_pretrained(folder)
    AutoTokenizer.from_pretrained(tiny_bert).save_pretrained(folder)
    assert json.loads((folder / "config.json").read_text())["dtype"] == "bfloat16"
    assert {parameter.dtype for parameter in made(folder, pooling="cls").parameters()} == {torch.float32}


def test_a_static_model_is_learnt_from_texts_and_has_no_base():
    spec = Static(dimension=8, vocabulary=60)
    model = build(spec, iter(["red apples and pears", "green apples", "red pears grow", "apples grow"] * 4), "cpu")
    assert model.encode(["red apples"]).shape == (1, 8)
    assert base(spec, "cpu") is None


def test_a_finished_static_model_is_trained_further(static_model, tmp_path):
    model = again(made(static_model, max_tokens=3, query_prompt="a"), tmp_path / "model")
    np.testing.assert_allclose(model.encode(["abc"]), model.encode(["abcdef"]))
    assert model.prompts["query"] == "a"


def test_a_model_without_a_pooling_module_refuses_another_pooling(tiny_bert, tmp_path, copy_of):
    save(made(tiny_bert, pooling="mean"), tmp_path / "model")
    modules = json.loads((tmp_path / "model/modules.json").read_text())
    (tmp_path / "model/modules.json").write_text(json.dumps(modules[:1]))
    with pytest.raises(RecipeError, match="no pooling"):
        made(tmp_path / "model", pooling="cls")


def test_weights_of_another_size_are_an_error_of_the_model(tiny_bert, copy_of):
    folder = copy_of(tiny_bert, "config.json", hidden_size=64)
    with pytest.raises(ArtifactError, match="cannot be loaded") as told:
        made(folder, pooling="cls")
    assert told.value.where == str(folder)


def test_a_damaged_tokenizer_is_an_error_of_the_model(tiny_bert, copy_of):
    folder = copy_of(tiny_bert)
    (folder / "tokenizer.json").write_text('{"version": "1.0"')
    with pytest.raises(ArtifactError, match="tokenizer"):
        made(folder, pooling="cls")
