from dataclasses import replace
from pathlib import Path

import pytest

from core.errors import RecipeError
from core.rl.verl.settings import settings
from core.tuning.verl.session import Session

SESSION = Session(Path("/out/verl"), 1)
BF16 = {"param_dtype": "bf16", "reduce_dtype": "fp32", "buffer_dtype": "fp32"}

SOURCE_A = {
    "data.train_files": "/out/rows/train.parquet",
    "data.val_files": "/out/rows/held_out.parquet",
    "data.train_batch_size": 64,
    "data.max_prompt_length": 1024,
    "data.max_response_length": 512,
    "data.filter_overlong_prompts": False,
    "data.seed": 0,
    "algorithm.adv_estimator": "grpo",
    "algorithm.norm_adv_by_std_in_grpo": True,
    "actor_rollout_ref.actor.use_kl_loss": True,
    "actor_rollout_ref.actor.kl_loss_coef": 0.001,
    "actor_rollout_ref.model.path": "some/model",
    "actor_rollout_ref.model.use_remove_padding": True,
    "actor_rollout_ref.model.enable_gradient_checkpointing": True,
    "actor_rollout_ref.actor.strategy": "fsdp2",
    "actor_rollout_ref.actor.ppo_mini_batch_size": 16,
    "actor_rollout_ref.actor.ppo_micro_batch_size_per_gpu": 4,
    "actor_rollout_ref.actor.clip_ratio_low": 0.2,
    "actor_rollout_ref.actor.clip_ratio_high": 0.2,
    "+actor_rollout_ref.actor.fsdp_config.mixed_precision": BF16,
    "actor_rollout_ref.actor.fsdp_config.param_offload": False,
    "actor_rollout_ref.actor.fsdp_config.optimizer_offload": False,
    "actor_rollout_ref.actor.fsdp_config.ulysses_sequence_parallel_size": 1,
    "actor_rollout_ref.actor.optim.lr": 1e-6,
    "actor_rollout_ref.actor.optim.weight_decay": 0.01,
    "actor_rollout_ref.actor.optim.clip_grad": 1.0,
    "actor_rollout_ref.actor.optim.lr_scheduler_type": "constant",
    "actor_rollout_ref.actor.optim.lr_warmup_steps": 100,
    "+actor_rollout_ref.ref.fsdp_config.mixed_precision": BF16,
    "actor_rollout_ref.ref.fsdp_config.ulysses_sequence_parallel_size": 1,
    "actor_rollout_ref.ref.log_prob_micro_batch_size_per_gpu": 4,
    "actor_rollout_ref.rollout.n": 5,
    "actor_rollout_ref.rollout.temperature": 0.7,
    "actor_rollout_ref.rollout.top_p": 0.9,
    "actor_rollout_ref.rollout.seed": 0,
    "actor_rollout_ref.rollout.dtype": "bfloat16",
    "actor_rollout_ref.rollout.max_model_len": 1536,
    "actor_rollout_ref.rollout.log_prob_micro_batch_size_per_gpu": 4,
    "actor_rollout_ref.rollout.name": "vllm",
    "actor_rollout_ref.rollout.tensor_model_parallel_size": 2,
    "actor_rollout_ref.rollout.gpu_memory_utilization": 0.5,
    "reward.custom_reward_function.path": "pkg://core.tuning.verl.guest.reward",
    "reward.custom_reward_function.name": "compute_score",
    "reward.num_workers": 4,
    "trainer.v1.sampler.custom_sampler.path": "pkg://core.tuning.verl.guest.sampler",
    "trainer.v1.sampler.custom_sampler.name": "Strict",
    "+trainer.v1.sampler.sampler_kwargs.max_response_length": 512,
    "trainer.device": "cuda",
    "trainer.nnodes": 1,
    "trainer.n_gpus_per_node": 4,
    "trainer.logger": ["console", "file"],
    "trainer.project_name": "dr",
    "trainer.experiment_name": "rl",
    "trainer.default_local_dir": "/out/checkpoints",
    "trainer.resume_mode": "auto",
    "trainer.total_epochs": 3,
    "trainer.total_training_steps": 45,  # 1000 rows by 64 are 15 steps an epoch
    "trainer.val_before_train": True,
    "trainer.rollout_data_dir": "/out/verl/1/rollouts",
    "trainer.validation_data_dir": "/out/verl/1/held_out",
    "trainer.save_freq": 15,
    "trainer.test_freq": 15,
    "+ray_kwargs.ray_init.address": "local",
    "+ray_kwargs.ray_init.include_dashboard": False,
    "hydra.run.dir": "/out/verl/1/hydra",
    "hydra.output_subdir": None,
}


@pytest.fixture
def keys(recipe, rows):
    """`keys({"gpus": 4}, batch_size=8)`: what such a recipe becomes."""

    def make(trainer=(), *, fresh=True, rows=rows, **fields):
        made = recipe(trainer, **fields)
        return settings(made, rows, "some/model", Path("/out/checkpoints"), SESSION, {"DR_REWARD": "/r"}, fresh=fresh)

    return make


def changed(found, expected=SOURCE_A):
    """What is new or another, and what is gone."""
    return {name: value for name, value in found.items() if expected.get(name, ...) != value}, {*expected} - {*found}


def test_source_a_as_keys_of_verl(keys):
    trainer = {"gpus": 4, "rollout": {"tensor_parallel_size": 2}}

    assert keys(trainer, mini_batch_size=16, schedule={"warm_up_steps": 100}) == SOURCE_A


def test_ppo_has_a_critic_and_takes_the_divergence_off_the_reward(keys):
    ppo = {"type": "ppo", "critic_learning_rate": 2e-5, "discount": 0.99, "gae_lambda": 0.95}
    found = keys({"gpus": 4}, algorithm=ppo)

    assert found["algorithm.adv_estimator"] == "gae"
    assert (found["algorithm.gamma"], found["algorithm.lam"]) == (0.99, 0.95)
    assert (found["algorithm.use_kl_in_reward"], found["algorithm.kl_ctrl.kl_coef"]) == (True, 0.001)
    assert "actor_rollout_ref.actor.use_kl_loss" not in found
    critic = {name: value for name, value in found.items() if name.lstrip("+").startswith("critic.")}
    assert critic == {
        "critic.model.path": "some/model",
        "critic.model.use_remove_padding": True,
        "critic.model.enable_gradient_checkpointing": True,
        "critic.strategy": "fsdp2",
        "critic.ppo_micro_batch_size_per_gpu": 4,
        "+critic.ppo_infer_max_token_len_per_gpu": 4 * 1536,
        "+critic.fsdp.mixed_precision": BF16,
        "critic.fsdp.param_offload": False,
        "critic.fsdp.optimizer_offload": False,
        "critic.fsdp.ulysses_sequence_parallel_size": 1,
        "critic.optim.lr": 2e-5,
        "critic.optim.weight_decay": 0.01,
        "critic.optim.clip_grad": 1.0,
        "critic.optim.lr_scheduler_type": "constant",
        "critic.optim.lr_warmup_steps_ratio": 0.0,
    }


def test_without_a_divergence_no_second_model_is_loaded(keys):
    found = keys(algorithm={"type": "grpo", "kl": 0})

    assert found["actor_rollout_ref.actor.use_kl_loss"] is False
    assert not [name for name in found if ".ref." in name]


def test_adapters_are_merged_on_their_way_to_the_rollout(keys):
    new, gone = changed(keys(model={"type": "pretrained", "path": "some/model", "lora": {"rank": 8}}), keys())

    assert new == {
        "actor_rollout_ref.model.lora_rank": 8,
        "actor_rollout_ref.model.lora_alpha": 64,
        "actor_rollout_ref.model.target_modules": "all-linear",
        "actor_rollout_ref.model.lora.merge": True,
    }
    assert not gone


def test_a_tool_makes_turns(keys):
    searched = {"reward": {"parts": [{"type": "exact_match"}]}, "tool": {"max_calls": 3}}
    new, gone = changed(keys(**searched), keys(reward=searched["reward"]))

    turns = "actor_rollout_ref.rollout.multi_turn"
    assert new == {
        "actor_rollout_ref.rollout.agent.default_agent_loop": "tool_agent",
        f"{turns}.function_tool_path": "/out/verl/guest/core/rl/tool/verl.py",
        f"{turns}.max_assistant_turns": 4,
        f"{turns}.max_user_turns": 3,
        f"{turns}.max_tool_response_length": 1_000_000,
        f"{turns}.format": "hermes",
    }
    assert not gone


def test_the_same_recipe_without_a_gpu(keys):
    new, gone = changed(keys({"device": "cpu"}), keys())

    assert new == {
        "data.dataloader_num_workers": 0,
        "actor_rollout_ref.model.use_remove_padding": False,
        "+actor_rollout_ref.model.override_config.attn_implementation": "sdpa",
        "actor_rollout_ref.actor.fsdp_config.use_torch_compile": False,
        "actor_rollout_ref.ref.fsdp_config.use_torch_compile": False,
        "actor_rollout_ref.rollout.name": "transformers",
        "actor_rollout_ref.rollout.agent.num_workers": 1,
        "reward.num_workers": 1,
        "+trainer.v1.sampler.sampler_kwargs.poll_seconds": 0.2,
        "transfer_queue.backend.SimpleStorage.num_data_storage_units": 1,
        "trainer.device": "cpu",
        "ray_kwargs.ray_init.num_cpus": 32,
        "+ray_kwargs.ray_init.num_gpus": 1,
        "+ray_kwargs.ray_init.object_store_memory": 500_000_000,
    }
    assert gone == {"actor_rollout_ref.rollout.gpu_memory_utilization"}


def test_a_cluster_is_joined(keys):
    new, gone = changed(keys({"gpus": 8, "nodes": 2, "ray_address": "10.0.0.1:6379"}), keys({"gpus": 8}))

    assert new == {
        "trainer.nnodes": 2,
        "+ray_kwargs.ray_init.address": "10.0.0.1:6379",
        "+ray_kwargs.ray_init.runtime_env.env_vars.DR_REWARD": "/r",
    }
    assert gone == {"+ray_kwargs.ray_init.include_dashboard"}


@pytest.mark.parametrize(
    ("trainer", "expected"),
    [
        ({"offload": True, "strategy": "fsdp"}, {"actor.fsdp_config.param_offload": True,
                                                 "actor.fsdp_config.optimizer_offload": True,
                                                 "ref.fsdp_config.param_offload": True}),
        ({"gpus": 2, "sequence_parallel": 2}, {"actor.fsdp_config.ulysses_sequence_parallel_size": 2,
                                               "ref.fsdp_config.ulysses_sequence_parallel_size": 2}),
        ({"dtype": "fp32"}, {"rollout.dtype": "float32"}),
        ({"rollout": {"engine": "sglang", "gpu_memory_utilization": 0.4}}, {"rollout.name": "sglang",
                                                                           "rollout.gpu_memory_utilization": 0.4}),
        ({"gradient_checkpointing": False}, {"model.enable_gradient_checkpointing": False}),
    ],
)  # fmt: skip
def test_fields_of_the_trainer_go_to_their_keys(keys, trainer, expected):
    found = keys(trainer)

    assert {name: found[f"actor_rollout_ref.{name}"] for name in expected} == expected


def test_a_training_that_goes_on_is_not_measured_again_first(keys):
    assert keys(fresh=False)["trainer.val_before_train"] is False


def test_without_held_out_rows_nothing_is_measured(keys, rows):
    found = keys(rows=replace(rows, held_out=None))

    assert (found["trainer.test_freq"], found["trainer.val_before_train"]) == (-1, False)
    assert found["data.val_files"] == found["data.train_files"]  # verl opens one in any case


def test_answers_that_do_not_divide_among_gpus_are_refused(keys):
    with pytest.raises(RecipeError, match="batch_size times group_size is 10, which does not divide among 4 GPUs"):
        keys({"gpus": 4}, batch_size=8, mini_batch_size=2)


def test_fp32_is_that_of_the_weights_too(keys):
    found = keys({"dtype": "fp32"})

    assert found["+actor_rollout_ref.actor.fsdp_config.mixed_precision"]["param_dtype"] == "fp32"


@pytest.mark.parametrize(
    "name",
    [
        "algorithm.filter_groups.enable",
        "trainer.v1.sampler.custom_sampler.path",
        "reward.reward_manager.name",
        "custom_reward_function.path",
        "actor_rollout_ref.rollout.name",
        "trainer.rollout_data_dir",
        "trainer.default_local_dir",
    ],
)
def test_no_override_undoes_what_keeps_a_failed_reward_from_being_a_score(keys, name):
    with pytest.raises(RecipeError, match="is not to be changed there"):
        keys({"overrides": {name: "x"}})
