from pathlib import Path

import pytest
from trl.trainer.grpo_config import GRPOConfig
from trl.trainer.sft_config import SFTConfig

from core.errors import Missing, RecipeError
from core.sft.recipe import Recipe
from core.tuning.trl.arguments import check_device, common, made, micro_batches


def recipe(**changed):
    said = {
        "stage": "sft",
        "out": "out",
        "model": {"type": "new"},
        "data": {"sets": [{"rows": "rows"}]},
        "trainer": {"type": "trl", "device": "cpu"},
    }
    return Recipe.model_validate(said | changed)


def test_the_fields_of_a_recipe_are_the_arguments_of_both_trainers(tmp_path):
    said = recipe(learning_rate=3e-4, weight_decay=0.2, max_grad_norm=0.7, seed=9, schedule={"warm_up": 0.1})
    for kind in (SFTConfig, GRPOConfig):
        found = made(kind, common(said, 200, tmp_path), {})
        assert (found.learning_rate, found.weight_decay, found.max_grad_norm, found.seed) == (3e-4, 0.2, 0.7, 9)
        assert (found.max_steps, found.warmup_steps, found.lr_scheduler_type) == (200, 20, "constant_with_warmup")
        assert (found.output_dir, found.use_cpu, found.bf16) == (str(tmp_path), True, False)
        assert found.gradient_checkpointing is False


@pytest.mark.parametrize("schedule", [{"warm_up": 0.1}, {"warm_up_steps": 20}])
def test_a_warm_up_lasts_as_many_steps_however_often_the_weights_change_in_each(tmp_path, schedule):
    found = made(GRPOConfig, common(recipe(schedule=schedule), 200, tmp_path, updates=4), {})
    assert (found.max_steps, found.warmup_steps) == (800, 80)


@pytest.mark.parametrize("checkpointing", [True, False])
def test_activations_are_kept_unless_the_recipe_says_otherwise(tmp_path, checkpointing):
    trainer = {"type": "trl", "device": "cpu", "gradient_checkpointing": checkpointing}
    assert made(SFTConfig, common(recipe(trainer=trainer), 1, tmp_path), {}).gradient_checkpointing is checkpointing


def test_overrides_reach_trl():
    found = made(SFTConfig, common(recipe(), 1, Path("x")), {"adam_beta2": 0.95, "lr_scheduler_type": "polynomial"})
    assert (found.adam_beta2, found.lr_scheduler_type) == (0.95, "polynomial")


def test_an_argument_that_does_not_exist_is_told_with_the_nearest():
    with pytest.raises(RecipeError, match="`adam_beta_2` is no argument of SFTConfig") as told:
        made(SFTConfig, {}, {"adam_beta_2": 0.95})
    assert "`adam_beta2`" in told.value.hint
    assert told.value.where == "trainer.overrides.adam_beta_2"


def test_an_argument_that_a_field_says_is_refused_with_the_field():
    with pytest.raises(RecipeError, match="follows from the recipe") as told:
        made(SFTConfig, {}, {"save_steps": 5})
    assert told.value.hint == "set `checkpoints.save_every`"


def test_a_value_that_trl_refuses_is_told_with_its_words():
    with pytest.raises(RecipeError, match="SFTConfig refuses this: zigzag"):
        made(SFTConfig, common(recipe(), 1, Path("x")), {"lr_scheduler_type": "zigzag"})


@pytest.mark.parametrize(("size", "expected"), [(None, (64, 1)), (64, (64, 1)), (16, (16, 4)), (100, (64, 1))])
def test_a_step_is_computed_in_parts_of_the_micro_batch(size, expected):
    said = recipe(trainer={"type": "trl", "micro_batch_size": size})
    assert micro_batches(said, 64) == expected


def test_a_step_that_cannot_be_cut_evenly_is_refused():
    with pytest.raises(RecipeError, match="64 rows cannot be cut into 24"):
        micro_batches(recipe(trainer={"type": "trl", "micro_batch_size": 24}), 64)


def test_a_device_that_is_not_there_is_missing():
    for device in ("cpu", "auto"):
        check_device(device)
    with pytest.raises(Missing, match="no device `mps`"):
        check_device("mps")
