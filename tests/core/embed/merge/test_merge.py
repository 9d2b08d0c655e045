"""Adapters of small models, made by hand, go into their bases."""

import json
import shutil
from typing import Literal

import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer

from core import artifact
from core.embed.merge import probe
from core.embed.merge.check import check
from core.embed.merge.recipe import Recipe
from core.embed.merge.run import run
from core.embed.models import build, saved
from core.embed.models.spec import Lora, Pretrained, Static
from core.errors import ContractError, Missing, UsageError
from core.recipe import ArtifactRecipe
from core.retrieval.encoder import open_encoder
from core.retrieval.spec import Dense

TEXTS = ["net value of a fund", "fees", "a longer text about bonds and their yields in the year 2024"]
REPORT = {"verdict": "It helped.", "ndcg@10": {"dense": 0.61, "base_dense": 0.52}, "gate": "passed"}


class Training(ArtifactRecipe):
    """Stands in for the recipe of a training: what matters here is what lies in its artifact."""

    stage: Literal["embed"] = "embed"
    model: Pretrained | Static


def adapter_model(base, *, trained=True, targets=("query", "value"), **options):
    """A model with adapters, as `dr embed train` has it; random weights stand for what was learnt."""
    torch.manual_seed(3)
    spec = Pretrained(type="pretrained", name=str(base), lora=Lora(target_modules=targets), **options)
    model = build.build(spec, [], "cpu")
    for name, parameter in model.named_parameters():
        if trained and "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.3)
    return spec, model


def training(out, spec, model, checkpoints=()):
    """An artifact of `dr embed train` in the folder `out`."""

    def make(recipe, work):
        saved.save(model, work.path / "model")
        for name in checkpoints:
            saved.save(model, work.path / "checkpoints" / name)
        lines = (json.dumps({"query_id": text, "query": text, "documents": {}}) for text in TEXTS)
        (work.path / "held_out.jsonl").write_text("\n".join(lines) + "\n")
        artifact.write_json(work.path / "report.json", REPORT)

    artifact.make(Training(out=out, model=spec), make)
    return out


def merge(adapter, out, **options):
    recipe = Recipe(stage="merge", adapter=adapter, out=out, **options)
    artifact.make(recipe, run)
    return out / "model"


def cosines(one, other):
    """Of two models' vectors of the texts, as queries and as documents; normalised here, in 32 bits."""
    first, second = (SentenceTransformer(str(path), device="cpu") for path in (one, other))
    pairs = [[m.encode(TEXTS, prompt_name=n) for m in (first, second)] for n in ("query", "document")]
    return np.array([(unit(mine) * unit(theirs)).sum(1) for mine, theirs in pairs])


def unit(rows):
    wide = np.array(rows, np.float32)
    return wide / np.linalg.norm(wide, axis=1, keepdims=True)


@pytest.fixture(scope="module")
def bert(tiny_bert, tmp_path_factory):
    spec, model = adapter_model(tiny_bert, pooling="cls", projection=24, query_prompt="ask: ")
    return training(tmp_path_factory.mktemp("bert") / "adapter", spec, model, ["checkpoint-2"])


@pytest.fixture(scope="module")
def qwen(tiny_qwen3, tmp_path_factory):
    prompt = "Instruct: find what answers\nQuery:"
    spec, model = adapter_model(tiny_qwen3, targets=("q_proj", "v_proj", "o_proj"), pooling="last", query_prompt=prompt)
    return training(tmp_path_factory.mktemp("qwen") / "adapter", spec, model)


@pytest.fixture(scope="module")
def merged(bert, tmp_path_factory):
    return merge(bert, tmp_path_factory.mktemp("merged") / "out")


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("name", ["bert", "qwen"])
def test_plain_sentence_transformers_gets_the_adapters_vectors_from_the_merged_model(
    name, precision, request, tmp_path
):
    adapter = request.getfixturevalue(name)
    model = merge(adapter, tmp_path / "out", precision=precision)
    room = 1e-5 if precision == "fp32" else 5e-3  # plain sentence-transformers computes in what is stored
    assert cosines(model, adapter / "model") == pytest.approx(1, abs=room)


def test_a_merged_model_is_whole_and_needs_no_base(bert, tiny_bert, merged, tmp_path):
    assert not list(merged.glob("adapter*"))
    names = {path.relative_to(merged).as_posix() for path in merged.rglob("*") if path.is_file()}
    assert {"model.safetensors", "tokenizer.json", "modules.json", "config_sentence_transformers.json"} <= names
    assert {"README.md", "contract.json"} <= names
    alone, before = (SentenceTransformer(str(path), device="cpu") for path in (merged, bert / "model"))
    assert [type(module).__name__ for module in alone] == [type(module).__name__ for module in before]
    assert alone.get_embedding_dimension() == 24
    assert alone.prompts["query"] == "ask: "
    assert str(tiny_bert) not in (merged / "config.json").read_text()


def test_the_report_says_how_far_the_model_is_from_adapter_and_base(merged):
    report = json.loads((merged.parent / "merge.json").read_text())
    assert report["to_adapter"]["least"] == pytest.approx(1, abs=1e-5)
    assert report["to_base"]["least"] < 0.999
    assert report["texts"] == 2 * len(TEXTS)


def test_the_card_says_recipe_data_and_scores(bert, merged):
    card = (merged / "README.md").read_text()
    manifest = json.loads((bert / "manifest.json").read_text())
    assert "It helped." in card
    assert "| ndcg@10.dense | 0.6100 |" in card
    assert manifest["digest"] in card
    assert manifest["sources"]["model.name"]["sha256"] in card
    assert "alpha: 32" in card
    assert card.startswith("---\nlibrary_name: sentence-transformers\n")


def test_the_contract_beside_the_model_is_the_loaded_models_own(merged):
    opened = open_encoder(Dense(type="dense", model=str(merged)))
    opened.contract.check(json.loads((merged / "contract.json").read_text()))


def test_a_merged_artifact_is_opened_like_a_training(merged):
    by_artifact, by_folder = (open_encoder(Dense(type="dense", model=str(p))) for p in (merged.parent, merged))
    assert np.array_equal(by_artifact.queries(TEXTS), by_folder.queries(TEXTS))


def test_a_checkpoint_is_merged_by_name(bert, tmp_path):
    model = merge(bert, tmp_path / "out", checkpoint="checkpoint-2")
    assert cosines(model, bert / "model") == pytest.approx(1, abs=1e-6)
    with pytest.raises(UsageError, match="no checkpoint `checkpoint-9`") as refused:
        merge(bert, tmp_path / "other", checkpoint="checkpoint-9")
    assert "checkpoint-2" in str(refused.value.hint)


def test_an_adapter_that_learnt_nothing_is_refused_and_leaves_nothing(tiny_bert, tmp_path):
    spec, model = adapter_model(tiny_bert, trained=False, pooling="mean")
    adapter = training(tmp_path / "adapter", spec, model)
    with pytest.raises(ContractError, match="changes nothing") as refused:
        merge(adapter, tmp_path / "out")
    assert refused.value.exit_code == 4
    assert {path.name for path in tmp_path.iterdir()} == {"adapter"}


def test_a_whole_model_has_nothing_to_merge(tiny_bert, tmp_path):
    spec = Pretrained(type="pretrained", name=str(tiny_bert), pooling="mean")
    whole = training(tmp_path / "whole", spec, build.build(spec, [], "cpu"))
    with pytest.raises(UsageError, match="whole already"):
        merge(whole, tmp_path / "out")


def test_a_base_that_is_gone_is_named(tiny_bert, tmp_path):
    base = shutil.copytree(tiny_bert, tmp_path / "base")
    spec, model = adapter_model(base, pooling="mean")
    adapter = training(tmp_path / "adapter", spec, model)
    shutil.rmtree(base)
    with pytest.raises(Missing, match=f"base `{base}` cannot be reached"):
        merge(adapter, tmp_path / "out")


def test_another_base_in_the_place_of_the_adapters_is_refused(tiny_bert, tmp_path):
    from transformers import AutoModel

    base = shutil.copytree(tiny_bert, tmp_path / "base")
    spec, model = adapter_model(base, pooling="mean")
    adapter = training(tmp_path / "adapter", spec, model)
    other = AutoModel.from_pretrained(base)
    torch.nn.init.normal_(other.encoder.layer[0].attention.self.key.weight)
    other.save_pretrained(base)
    with pytest.raises(ContractError, match="another base"):
        merge(adapter, tmp_path / "out")


def test_a_merge_is_refused_when_it_equals_the_base_or_leaves_the_adapter():
    adapter, base = unit([[1, 0.02], [0, 1]]), unit([[1, 0], [0, 1]])
    assert check(adapter, base, adapter, ["one", "two"])["to_adapter"]["least"] == pytest.approx(1)
    # cosine of the first row: 1 / √(1 + 0.02²) = 0.9998, so only its nearness to the base gives it away
    with pytest.raises(ContractError, match="equals its base"):
        check(adapter, base, base, ["one", "two"])
    # (1, 0.02) and (1, 0.1): 1.002 / √(1.0004 · 1.01) = 0.9968
    with pytest.raises(ContractError, match=r"not what the adapter was: cosine 0\.9968 for 'one'"):
        check(adapter, base, unit([[1, 0.1], [0, 1]]), ["one", "two"])


def test_without_held_out_texts_the_probes_are_sentences_in_two_languages(tmp_path):
    assert probe.texts(tmp_path, 100) == list(probe.SENTENCES)
    assert any(not text.isascii() for text in probe.SENTENCES)
    (tmp_path / "held_out.jsonl").write_text('{"query": "a", "document": "b"}\n{"query": "a", "document": "c"}\n')
    assert probe.texts(tmp_path, 100) == ["a", "b", "c"]
    assert probe.texts(tmp_path, 2) == ["a", "b"]
