"""Adapters: on the layers that the recipe names, saved so that anyone can load them, tied to their base."""

import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from sentence_transformers import SentenceTransformer
from transformers import AutoModel, AutoTokenizer, Qwen3Config, Qwen3Model

from core.embed.models.build import base, build, check
from core.embed.models.saved import save
from core.embed.models.spec import Lora, Pretrained
from core.errors import ContractError, Missing, RecipeError
from core.retrieval.encoder import open_encoder
from core.retrieval.spec import Dense

TASK = "Instruct: Given a question, find the passage\nQuery:"


def spec(folder, lora=None, **fields):
    fields = {"pooling": "last", "query_prompt": TASK, "max_tokens": 64} | fields
    return Pretrained(type="pretrained", name=str(folder), lora=lora, **fields)


def trained(model):
    """As if trained: adapters start with nothing in their second matrix."""
    generator = torch.Generator().manual_seed(3)
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            parameter.data = torch.randn(parameter.shape, generator=generator) / 10
    return model.eval()


@pytest.fixture
def own_base(tiny_qwen3, copy_of):
    """A base that a test may change."""
    return copy_of(tiny_qwen3)


@pytest.fixture(scope="module")
def one_adapter(tiny_qwen3, tmp_path_factory):
    folder = tmp_path_factory.mktemp("adapters") / "adapter"
    save(trained(build(spec(tiny_qwen3, Lora()), (), "cpu")), folder)
    return folder


@pytest.fixture
def adapter(own_base, one_adapter, copy_of):
    """An adapter for `own_base` that a test may change."""
    return copy_of(one_adapter, "adapter_config.json", base_model_name_or_path=str(own_base))


def test_only_the_named_layers_get_adapters_and_only_those_are_trained(tiny_qwen3):
    model = build(spec(tiny_qwen3, Lora(rank=4, dropout=0.1), projection=8), (), "cpu")
    taught = {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}
    adapted = {name.split(".lora_")[0].split("model.", 1)[1] for name in taught if "lora_" in name}
    assert adapted == {f"layers.{n}.self_attn.{layer}_proj" for n in (0, 1) for layer in "qvo"}
    assert {name for name in taught if "lora_" not in name} == {"projection.linear.weight", "projection.linear.bias"}
    config = model.transformers_model.peft_config["default"]
    assert (config.r, config.lora_alpha, config.lora_dropout) == (4, 32, 0.1)


def test_the_defaults_are_the_sources_values():
    lora = Lora()
    assert (lora.rank, lora.alpha, lora.dropout) == (8, 32, 0.05)
    assert lora.target_modules == ("q_proj", "v_proj", "o_proj")


def test_new_adapters_change_nothing(tiny_qwen3, texts):
    model = build(spec(tiny_qwen3, Lora()), (), "cpu").eval()
    before = base(spec(tiny_qwen3, Lora()), "cpu")
    np.testing.assert_allclose(model.encode_query(texts), before.encode_query(texts), atol=1e-6)


def test_a_saved_adapter_is_loaded_by_sentence_transformers_alone(own_base, tmp_path, texts):
    model = trained(build(spec(own_base, Lora(), projection=8), (), "cpu"))
    save(model, tmp_path / "adapter")
    assert not (tmp_path / "adapter/config.json").exists()
    assert not (tmp_path / "adapter/model.safetensors").exists()
    loaded = SentenceTransformer(str(tmp_path / "adapter"), device="cpu")
    np.testing.assert_allclose(loaded.encode_query(texts), model.encode_query(texts), atol=1e-6)
    alone = np.concatenate([loaded.encode_query([text]) for text in texts])
    np.testing.assert_allclose(alone, loaded.encode_query(texts), atol=1e-5)
    assert loaded.prompts == {"query": TASK, "document": ""}
    assert loaded.tokenizer.padding_side == "left"
    assert loaded.max_seq_length == 64
    assert (loaded.preprocess(texts)["input_ids"][:, -1] == 0).all()  # <|endoftext|>


def test_a_saved_adapter_is_a_product_added_to_the_weights(own_base, adapter, texts):
    inner, tokenizer = AutoModel.from_pretrained(own_base).eval(), AutoTokenizer.from_pretrained(own_base)
    matrices = load_file(adapter / "adapter_model.safetensors")
    for name, a_RI in matrices.items():
        if name.endswith(".lora_A.weight"):
            b_OR = matrices[name.replace("lora_A", "lora_B")]
            layer = inner.get_submodule(name.removeprefix("base_model.model.").removesuffix(".lora_A.weight"))
            layer.weight.data += 32 / 8 * b_OR @ a_RI  # alpha / rank
    out = []
    with torch.no_grad():
        for text in texts:
            batch = tokenizer(text + "<|endoftext|>", return_tensors="pt", truncation=True, max_length=64)
            out.append(inner(**batch).last_hidden_state[0, -1])
    expected = torch.nn.functional.normalize(torch.stack(out), dim=1).numpy()
    mine = SentenceTransformer(str(adapter), device="cpu").encode_document(texts)
    np.testing.assert_allclose(mine, expected, atol=1e-5)


def test_an_adapter_names_its_base(tiny_qwen3, one_adapter):
    config = json.loads((one_adapter / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == str(tiny_qwen3)
    known = json.loads((one_adapter / "adapter_base.json").read_text())
    assert (known["name"], known["commit"]) == (str(tiny_qwen3), None)


def test_an_adapter_is_trained_further(adapter, texts, tmp_path):
    wanted = spec(adapter, Lora(), pooling=None, query_prompt=None, max_tokens=None)
    model = build(wanted, (), "cpu").eval()
    np.testing.assert_allclose(
        model.encode_query(texts), SentenceTransformer(str(adapter), device="cpu").encode_query(texts), atol=1e-6
    )
    taught = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    assert len(taught) == 12  # two matrices on three layers of two blocks
    assert all("lora_" in name for name in taught)
    save(model, tmp_path / "next")
    weights, known = "adapter_model.safetensors", "adapter_base.json"
    assert (tmp_path / "next" / weights).read_bytes() == (adapter / weights).read_bytes()
    first, then = (json.loads((folder / known).read_text())["weights"] for folder in (adapter, tmp_path / "next"))
    assert first == then
    loaded = SentenceTransformer(str(tmp_path / "next"), device="cpu")
    np.testing.assert_allclose(loaded.encode_query(texts), model.encode_query(texts), atol=1e-6)


@pytest.mark.parametrize(
    ("lora", "field"),
    [
        (Lora(rank=4), "rank"),
        (Lora(alpha=16), "alpha"),
        (Lora(target_modules=("q_proj",)), "target_modules"),
    ],
)
def test_an_adapter_is_not_trained_further_as_another(adapter, lora, field):
    with pytest.raises(RecipeError, match=f"has {field}") as told:
        check(spec(adapter, lora))
    assert told.value.where == f"model.lora.{field}"


def test_all_weights_are_not_trained_through_an_adapter(adapter):
    with pytest.raises(RecipeError, match="is an adapter") as told:
        check(spec(adapter))
    assert told.value.where == "model.lora"


def test_an_adapter_for_a_base_with_other_weights_is_refused(own_base, adapter):
    weights = load_file(own_base / "model.safetensors")
    changed = {name: tensor + 0.01 for name, tensor in weights.items()}
    save_file(changed, own_base / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ContractError, match="not those it was trained on") as told:
        check(spec(adapter, Lora()))
    assert told.value.exit_code == 4
    with pytest.raises(ContractError, match="not those it was trained on"):
        open_encoder(Dense(type="dense", model=str(adapter)))


def test_an_adapter_for_a_base_of_another_size_is_refused(own_base, adapter):
    config = Qwen3Config.from_pretrained(own_base)
    config.head_dim = 16
    Qwen3Model(config).save_pretrained(own_base)
    (adapter / "adapter_base.json").unlink()  # as peft alone would have written it
    with pytest.raises(ContractError, match=r"layers.0.self_attn.\w_proj` is 64 wide, and .* has 32 there"):
        check(spec(adapter, Lora()))


def test_an_adapter_for_another_kind_of_model_is_refused(own_base, adapter, tiny_bert):
    config = json.loads((adapter / "adapter_config.json").read_text())
    config["base_model_name_or_path"] = str(tiny_bert)
    (adapter / "adapter_config.json").write_text(json.dumps(config))
    with pytest.raises(ContractError, match="has no such layer"):
        check(spec(adapter, Lora(), max_tokens=None))


def test_an_adapter_whose_base_is_gone_is_missing_something(own_base, adapter):
    own_base.rename(own_base.with_name("elsewhere"))
    with pytest.raises(Missing, match="its base") as told:
        check(spec(adapter, Lora()))
    assert told.value.exit_code == 3


def test_a_layer_that_is_not_there_is_an_error_that_names_close_ones(tiny_qwen3, tiny_bert):
    with pytest.raises(RecipeError, match="`query_proj` is no layer of Qwen3Model") as told:
        check(spec(tiny_qwen3, Lora(target_modules=("q_proj", "query_proj"))))
    assert told.value.where == "model.lora.target_modules"
    assert "did you mean `" in told.value.hint
    assert "`q_proj`" in told.value.hint
    with pytest.raises(RecipeError, match="`q_proj` is no layer of BertModel") as told:
        check(spec(tiny_bert, Lora()))
    assert "`query`" in told.value.hint
