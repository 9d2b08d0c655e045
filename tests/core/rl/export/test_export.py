"""Checkpoints of every kind become one Hugging Face directory, or are refused with a sentence."""

import json
import os
import shutil
import subprocess
import sys

import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, AutoTokenizer

from core import artifact
from core.errors import ArtifactError, ContractError, UsageError
from core.recipe import ArtifactRecipe
from core.rl.export import run
from core.rl.export.recipe import Recipe

# peft's own
pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")

PROMPTS = {"name": "general", "digest": "d" * 64}
TOKENS = torch.tensor([[5, 60, 7, 99, 200]])


class Training(ArtifactRecipe):
    """Stands for the recipe of `dr rl train`."""

    stage: str = "rl"
    resumes = True


@pytest.fixture(scope="module")
def adapter(tiny_qwen3, tmp_path_factory):
    """Adapters with random weights for the tiny model, as peft saves them."""
    torch.manual_seed(1)
    model = AutoModelForCausalLM.from_pretrained(tiny_qwen3, dtype=torch.float32)
    config = LoraConfig(r=4, lora_alpha=8, target_modules="all-linear", task_type="CAUSAL_LM", init_lora_weights=False)
    folder = tmp_path_factory.mktemp("adapter")
    get_peft_model(model, config).save_pretrained(folder)
    return folder


def export(tmp_path, checkpoint, **more):
    recipe = Recipe.model_validate({"stage": "export", "checkpoint": str(checkpoint), "out": tmp_path / "out", **more})
    artifact.make(recipe, run.run)
    return tmp_path / "out/model", artifact.read(tmp_path / "out")["stats"]


def logits(model):
    with torch.no_grad():
        return model(TOKENS).logits


def checkpoint_of(base, folder, step, noise):
    """A whole checkpoint as a trainer leaves it: the weights moved by `noise`, its optimiser's state beside them."""
    torch.manual_seed(step)
    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    with torch.no_grad():
        for values in model.parameters():
            values.add_(noise * torch.randn_like(values))
    place = folder / "checkpoints" / f"checkpoint-{step}"
    model.save_pretrained(place)
    AutoTokenizer.from_pretrained(base).save_pretrained(place)
    (place / "optimizer.pt").write_bytes(b"state")
    (place / "measured.json").write_text(json.dumps({"step": step, "eval/reward": float(step)}))
    return place


@pytest.fixture
def training(tiny_qwen3, tmp_path):
    """`training(finished=True)`: an artifact with checkpoints of steps 10 and 20, of which 10 is the best."""

    def make(*, finished):
        def fill(_, work):
            for step in (10, 20):
                checkpoint_of(tiny_qwen3, work.path, step, 0.01)
            (work.path / "checkpoints/best.json").write_text('{"step": 10, "value": 0.5, "by": "eval/reward"}')
            work.stats["prompts"] = PROMPTS
            if not finished:
                raise ArtifactError("killed")
            shutil.copytree(work.path / "checkpoints/checkpoint-10", work.path / "model")

        recipe = Training(out=tmp_path / "training")
        if finished:
            artifact.make(recipe, fill)
            return tmp_path / "training"
        with pytest.raises(ArtifactError):
            artifact.make(recipe, fill)
        return tmp_path / "training.partial"

    return make


def test_an_adapter_is_merged_to_what_peft_computes(adapter, tiny_qwen3, tmp_path):
    model, stats = export(tmp_path, adapter)
    base = AutoModelForCausalLM.from_pretrained(tiny_qwen3, dtype=torch.float32)
    expected = logits(PeftModel.from_pretrained(base, adapter).eval())
    merged = AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32)
    torch.testing.assert_close(logits(merged), expected, atol=1e-5, rtol=1e-5)
    assert stats["checkpoint"]["kind"] == "adapter"
    assert stats["base"] == str(tiny_qwen3)
    assert not (model / "adapter_config.json").exists()


def test_the_model_is_asked_once_and_its_answer_is_kept(tiny_qwen3, tmp_path):
    model, stats = export(tmp_path, tiny_qwen3, question="hello", max_tokens=7)
    tokenizer = AutoTokenizer.from_pretrained(model)
    asked = tokenizer("<|im_start|>user\nhello<|im_end|>\n<|im_start|>assistant\n", return_tensors="pt")
    theirs = AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32).generate(
        **asked, max_new_tokens=7, do_sample=False
    )
    answer = tokenizer.decode(theirs[0, asked["input_ids"].shape[1] :], skip_special_tokens=True)
    assert stats["asked"] == {"question": "hello", "answer": answer, "tokens": 7, "finish_reason": "length"}


def test_of_a_finished_training_its_result_or_the_step_that_is_asked_for(training, tmp_path):
    folder = training(finished=True)
    model, stats = export(tmp_path, folder)
    assert stats["checkpoint"]["step"] == 10
    assert json.loads((model / "dr_prompts.json").read_text()) == stats["prompts"] == PROMPTS
    (tmp_path / "out").rename(tmp_path / "first")
    other, stats = export(tmp_path, folder, step=20)
    assert stats["checkpoint"]["folder"] == str(folder / "checkpoints/checkpoint-20")
    assert stats["prompts"] == PROMPTS
    ours = load_file(other / "model.safetensors")
    theirs = load_file(folder / "checkpoints/checkpoint-20/model.safetensors")
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    assert not (other / "optimizer.pt").exists()


def test_of_an_unfinished_training_the_best_so_far(training, tmp_path):
    _, stats = export(tmp_path, training(finished=False))
    assert (stats["checkpoint"]["step"], stats["checkpoint"]["kind"]) == (10, "model")


def test_a_step_that_is_not_there_is_told_with_those_that_are(training, tmp_path):
    with pytest.raises(UsageError, match="no checkpoint of step 15") as caught:
        export(tmp_path, training(finished=True), step=15)
    assert caught.value.hint == "there are 10, 20"


def test_a_half_written_checkpoint_is_none(training, tmp_path):
    folder = training(finished=False)
    (folder / "checkpoints/checkpoint-20/measured.json").unlink()
    with pytest.raises(UsageError, match="no checkpoint of step 20"):
        export(tmp_path, folder, step=20)


def test_the_number_format_is_changed_where_it_is_asked_for(tiny_qwen3, tmp_path):
    model, _ = export(tmp_path, tiny_qwen3, dtype="bfloat16")
    assert {values.dtype for values in load_file(model / "model.safetensors").values()} == {torch.bfloat16}
    assert json.loads((model / "config.json").read_text())["dtype"] == "bfloat16"


def test_a_checkpoint_without_tokenizer_takes_that_of_its_base_or_is_refused(tiny_qwen3, tmp_path):
    bare = tmp_path / "bare"
    bare.mkdir()
    for name in ("config.json", "generation_config.json", "model.safetensors"):
        shutil.copy(tiny_qwen3 / name, bare)
    with pytest.raises(UsageError, match="the checkpoint has no tokenizer"):
        export(tmp_path, bare)
    model, _ = export(tmp_path, bare, base=str(tiny_qwen3))
    assert (model / "tokenizer.json").is_file()


def spoil_layers(adapter, folder):
    """The adapters of a model with one layer."""
    weights = load_file(adapter / "adapter_model.safetensors")
    kept = {name: values for name, values in weights.items() if ".layers.1." not in name}
    shutil.copytree(adapter, folder)
    save_file(kept, folder / "adapter_model.safetensors", {"format": "pt"})
    return folder


def spoil_shape(adapter, folder):
    """The adapters of a wider model."""
    weights = load_file(adapter / "adapter_model.safetensors")
    shutil.copytree(adapter, folder)
    wider = {name: torch.cat([values, values]).contiguous() for name, values in weights.items()}
    save_file(wider, folder / "adapter_model.safetensors", {"format": "pt"})
    return folder


@pytest.mark.parametrize("spoil", [spoil_layers, spoil_shape])
def test_an_adapter_of_another_model_is_refused(adapter, tmp_path, spoil):
    with pytest.raises(ContractError, match="the adapter does not fit"):
        export(tmp_path, spoil(adapter, tmp_path / "spoilt"))
    assert not (tmp_path / "out").exists()


def test_a_torn_checkpoint_is_refused(adapter, tiny_qwen3, tmp_path):
    torn = shutil.copytree(adapter, tmp_path / "torn")
    whole = (torn / "adapter_model.safetensors").read_bytes()
    (torn / "adapter_model.safetensors").write_bytes(whole[:1000])
    with pytest.raises(UsageError, match="the checkpoint cannot be read"):
        export(tmp_path, torn)
    torn = shutil.copytree(tiny_qwen3, tmp_path / "model")
    (torn / "model.safetensors").write_bytes((torn / "model.safetensors").read_bytes()[:1000])
    with pytest.raises(UsageError, match="the model cannot be read"):
        export(tmp_path, torn)


def test_weights_that_are_no_numbers_are_refused(tiny_qwen3, tmp_path):
    spoilt = shutil.copytree(tiny_qwen3, tmp_path / "spoilt")
    weights = load_file(spoilt / "model.safetensors")
    weights["model.norm.weight"][3] = float("nan")
    save_file(weights, spoilt / "model.safetensors", {"format": "pt"})
    with pytest.raises(ContractError, match=r"weights are no numbers \(`model\.norm\.weight`\)"):
        export(tmp_path, spoilt)


def test_an_adapter_whose_base_is_gone_asks_for_it(adapter, tiny_qwen3, tmp_path):
    moved = shutil.copytree(adapter, tmp_path / "moved")
    config = json.loads((moved / "adapter_config.json").read_text())
    config["base_model_name_or_path"] = str(tmp_path / "gone")
    (moved / "adapter_config.json").write_text(json.dumps(config))
    with pytest.raises(UsageError, match="is not where it was") as caught:
        export(tmp_path, moved)
    assert caught.value.hint == "base=FOLDER names it"
    _, stats = export(tmp_path, moved, base=str(tiny_qwen3))
    assert stats["base"] == str(tiny_qwen3)


@pytest.mark.parametrize("what", ["nothing", "empty"])
def test_a_folder_that_is_no_checkpoint_is_refused(tmp_path, what):
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match=r"no such folder|no checkpoint"):
        export(tmp_path, tmp_path / what)


def test_the_command_makes_a_model_that_is_served_and_rewrites(training, tmp_path):
    folder = training(finished=True)

    def dr(*argv, status=0):
        command = [sys.executable, "-m", "cli.main", *map(str, argv)]
        done = subprocess.run(
            command, cwd=tmp_path, capture_output=True, text=True, env={**os.environ, "NO_COLOR": "1"}
        )
        assert done.returncode == status, done.stderr
        return done

    recipe = {"stage": "export", "checkpoint": folder.name, "out": "exported", "step": 20}
    (tmp_path / "export.yaml").write_text(json.dumps(recipe))
    assert dr("rl", "export", "export.yaml").stdout == "exported\n"
    assert "up to date" in dr("sft", "export", "export.yaml").stderr
    (tmp_path / "q.txt").write_text("whale\n")
    llm = {"server": {"type": "local", "model": "exported", "dtype": "float32"}, "max_tokens": 5, "temperature": 0}
    rewrite = {"stage": "rewrite", "out": "r", "queries": {"type": "file", "path": "q.txt"}, "llm": llm}
    (tmp_path / "rewrite.yaml").write_text(json.dumps(rewrite))
    done = dr("rewrite", "rewrite.yaml")
    (row,) = map(json.loads, (tmp_path / "r/rewrites.jsonl").read_text().splitlines())
    # a model with random weights answers noise, five tokens of it
    assert (row["rewritten"], row["fallback"]) == ("whale", "cut off")
    assert "exported was trained with the prompts `general`" in done.stderr
    assert artifact.read(tmp_path / "r")["inputs"]["llm.server.model"]["stage"] == "export"
