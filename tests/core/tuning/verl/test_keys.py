from pathlib import Path

import pytest

from core.errors import Missing, RecipeError
from core.tuning.spec import Lora, Pretrained, Schedule, Verl
from core.tuning.verl import keys
from core.tuning.verl.interpreter import Interpreter

FULL = Interpreter(Path("python"), {"verl": "0.9.1", "flash-attn": "2.8.1"})
BARE = Interpreter(Path("python"), {"verl": "0.9.1"})


def verl(**fields):
    return Verl(type="verl", **fields)


def test_a_batch_is_split_among_gpus_and_those_that_share_a_sequence_count_once():
    assert keys.shares(verl(gpus=4, nodes=2)) == 8
    assert keys.shares(verl(gpus=4, nodes=2, sequence_parallel=2)) == 4
    assert keys.each(64, verl(gpus=4, sequence_parallel=2), "batch_size") == 32


def test_a_batch_that_does_not_divide_is_refused():
    with pytest.raises(RecipeError, match="batch_size is 10, which does not divide among 4 GPUs"):
        keys.each(10, verl(gpus=4), "batch_size")


def test_rows_computed_at_a_time_divide_the_rows_of_a_gpu():
    assert keys.micro(32, 4) == 4
    assert keys.micro(30, 4) == 3  # verl refuses 30 by 4
    assert keys.micro(7, 4) == 1
    assert keys.micro(2, 4) == 2


def test_what_does_not_fill_a_batch_is_no_step():
    # 100 rows by 32: three steps an epoch
    assert keys.steps(100, 32, epochs=2, most=None) == (6, 3)
    assert keys.steps(100, 32, epochs=2, most=4) == (4, 3)
    assert keys.steps(100, 32, epochs=2, most=50) == (6, 3)


def test_fewer_rows_than_a_batch_are_refused():
    with pytest.raises(RecipeError, match="20 rows do not fill one batch of 64"):
        keys.steps(20, 64, epochs=1, most=None)


def test_it_saves_after_each_epoch_and_measures_when_it_saves():
    assert keys.frequencies(None, None, 12, measured=True) == {"trainer.save_freq": 12, "trainer.test_freq": 12}
    assert keys.frequencies(5, None, 12, measured=True) == {"trainer.save_freq": 5, "trainer.test_freq": 5}
    assert keys.frequencies(5, 2, 12, measured=True) == {"trainer.save_freq": 5, "trainer.test_freq": 2}
    assert keys.frequencies(5, 2, 12, measured=False) == {"trainer.save_freq": 5, "trainer.test_freq": -1}


def test_adapters_go_to_the_keys_that_fsdp_reads():
    assert keys.adapters("model", Lora(rank=8, alpha=16, target_modules=("q_proj",))) == {
        "model.lora_rank": 8,
        "model.lora_alpha": 16,
        "model.target_modules": ["q_proj"],
    }
    assert keys.adapters("model", None) == {}


def test_what_verl_does_not_have_is_refused_and_not_left_out():
    with pytest.raises(RecipeError, match="no dropout"):
        keys.adapters("model", Lora(dropout=0.1))
    with pytest.raises(RecipeError, match="constant or falls as a cosine"):
        keys.optimizer(
            "optim", learning_rate=1e-6, schedule=Schedule(decay="linear"), weight_decay=0.0, max_grad_norm=1.0
        )


def test_the_warm_up_is_a_share_or_steps():
    def of(schedule):
        found = keys.optimizer("o", learning_rate=1e-6, schedule=schedule, weight_decay=0.0, max_grad_norm=1.0)
        return {name: value for name, value in found.items() if "warmup" in name}

    assert of(Schedule(warm_up=0.1)) == {"o.lr_warmup_steps_ratio": 0.1}
    assert of(Schedule(warm_up=0.1, warm_up_steps=100)) == {"o.lr_warmup_steps": 100}


def test_a_model_that_is_not_packed_does_without_flash_attention():
    model = Pretrained(type="pretrained", path="some/model")

    assert "+m.override_config.attn_implementation" not in keys.model("m", model, "some/model", verl())
    for trainer in (verl(remove_padding=False), verl(device="cpu")):
        found = keys.model("m", model, "some/model", trainer)
        assert found["+m.override_config.attn_implementation"] == "sdpa"
        assert found["m.use_remove_padding"] is False


def test_code_that_comes_with_a_model_runs_where_the_recipe_says_so():
    model = Pretrained(type="pretrained", path="some/model", trust_remote_code=True)

    assert keys.model("m", model, "some/model", verl())["m.trust_remote_code"] is True


def test_packing_without_flash_attention_is_told_before_any_work():
    keys.check(verl(), FULL)
    keys.check(verl(remove_padding=False), BARE)
    with pytest.raises(Missing, match="flash-attn") as told:
        keys.check(verl(), BARE)
    assert "trainer.remove_padding=false" in told.value.hint


@pytest.mark.parametrize(
    ("fields", "what"),
    [
        ({"nodes": 2}, "a Ray cluster, and the recipe names none"),
        ({"device": "cpu", "ray_address": "auto"}, "on this machine alone"),
        ({"gpus": 2, "sequence_parallel": 2, "remove_padding": False}, "only where they are packed"),
    ],
)
def test_devices_that_cannot_be_so_are_refused(fields, what):
    with pytest.raises(RecipeError, match=what):
        keys.check(verl(**fields), FULL)
