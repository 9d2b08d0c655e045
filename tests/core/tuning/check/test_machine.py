import pytest
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM

from core.errors import ArtifactError, DrError, RecipeError
from core.tuning.check import machine
from core.tuning.spec import Checkpoints, Pretrained


def spec(**lora):
    return Pretrained.model_validate({"type": "pretrained", "path": "m", "lora": lora or None})


def test_the_weights_are_counted_without_loading_them(tiny_qwen3):
    model = machine.empty(str(tiny_qwen3), trust_remote_code=False)
    assert {weight.device.type for weight in model.parameters()} == {"meta"}
    real = AutoModelForCausalLM.from_pretrained(tiny_qwen3)
    count = sum(weight.numel() for weight in real.parameters())
    assert machine.size(spec(), model) == machine.Size(count, count)


@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")  # peft asks for it
@pytest.mark.parametrize("targets", ["all-linear", ["q_proj", "down_proj"]])
def test_the_weights_of_adapters_are_those_that_peft_makes(tiny_qwen3, targets):
    model = machine.empty(str(tiny_qwen3), trust_remote_code=False)
    found = machine.size(spec(rank=4, target_modules=targets), model)
    config = LoraConfig(r=4, target_modules=targets, task_type="CAUSAL_LM")
    adapted = get_peft_model(AutoModelForCausalLM.from_pretrained(tiny_qwen3), config)
    assert found.trained == sum(weight.numel() for weight in adapted.parameters() if weight.requires_grad)


def test_a_layer_that_is_not_there_is_told_without_the_weights(tiny_qwen3):
    with pytest.raises(RecipeError, match="`q_porj` is no linear layer"):
        machine.size(spec(target_modules=["q_porj"]), machine.empty(str(tiny_qwen3), trust_remote_code=False))


def test_a_folder_without_a_model_and_one_of_another_kind_are_told(tmp_path, tiny_bert):
    with pytest.raises((ArtifactError, DrError)):
        machine.empty(str(tmp_path), trust_remote_code=False)


def test_room_is_needed_for_what_is_kept_the_best_and_the_one_being_written(tmp_path):
    size = machine.Size(all=10_000_000, trained=10_000_000)
    # 100 steps, each 10: 10 checkpoints, of which 5 + 2 lie there at once: 7 x 120 MB + 40 MB = 0.82 GiB
    (line,) = machine.check_disk(tmp_path / "out", size, Checkpoints(save_every=10), 100, 50)
    assert line.startswith("disk: 0.82 GiB for 7 checkpoints and the model, ")
    (line,) = machine.check_disk(tmp_path / "out", size, Checkpoints(keep=None), 100, 50)
    assert line.startswith("disk: 0.26 GiB for 2 checkpoints")


def test_too_little_room_is_refused(small_disk):
    size = machine.Size(all=100_000, trained=100_000)
    with pytest.raises(DrError, match="no room on the disk") as raised:
        list(machine.check_disk(small_disk / "a/b", size, Checkpoints(), 100, 10))
    assert raised.value.where == str(small_disk)
    assert "checkpoints.keep=2" in raised.value.hint
