"""A recipe as verl's keys."""

from pathlib import Path

from core.rl.recipe import Grpo, Ppo, Recipe
from core.rl.verl.ours import OURS
from core.tuning.rows.composed import Composed
from core.tuning.spec import Verl
from core.tuning.verl import keys
from core.tuning.verl.arguments import Keys, merged
from core.tuning.verl.follow import Plan
from core.tuning.verl.guest import names, reward
from core.tuning.verl.session import HELD_OUT, ROLLOUTS, Session, hydra, ray

ACTOR, REFERENCE, ROLLOUT, CRITIC = (
    "actor_rollout_ref.actor",
    "actor_rollout_ref.ref",
    "actor_rollout_ref.rollout",
    "critic",
)
MODEL = "actor_rollout_ref.model"

TOOL_FILE = Path("core/rl/tool/verl.py")
"""Below the folder on verl's path: the search as its tool."""
KWARGS = "trainer.v1.sampler.sampler_kwargs"
POLL_SECONDS = 0.2
"""Between two looks for answers where a step takes no longer than verl's own two seconds."""

WHOLE_ANSWER = 1_000_000
"""Characters of a tool's answer that verl leaves alone: the tool itself cuts it, by tokens."""


def settings(
    recipe: Recipe, rows: Composed, model: str, checkpoints: Path, session: Session, env: dict[str, str], *, fresh: bool
) -> Keys:
    """All keys; the user's overrides in place of ours. `fresh`: the training has no checkpoint yet.

    Raises:
        RecipeError: verl has no key for something in the recipe, or batches do not divide.
    """
    trainer = verl_of(recipe)
    found = _data(recipe, rows, trainer) | _algorithm(recipe)
    found |= _actor(recipe, trainer, model) | _reference(recipe, trainer) | _rollout(recipe, trainer)
    if isinstance(recipe.algorithm, Ppo):
        found |= _critic(recipe, recipe.algorithm, trainer, model)
    if recipe.tool:
        found |= _tool(recipe.tool.max_calls, session.guest)
    found |= _reward(recipe, trainer) | _run(recipe, rows, trainer, checkpoints, session, fresh=fresh)
    if trainer.device == "cpu":
        found |= _small()
    return merged(found | ray(trainer, env) | hydra(session.folder), trainer.overrides, OURS)


def plan(recipe: Recipe, rows: Composed) -> Plan:
    """The steps of the training.

    Raises:
        RecipeError: the rows do not fill one batch.
    """
    steps, epoch = keys.steps(rows.count, recipe.batch_size, recipe.epochs, recipe.steps)
    return Plan(steps, epoch, recipe.log_every)


def verl_of(recipe: Recipe) -> Verl:
    """The trainer of a recipe that names verl."""
    assert isinstance(recipe.trainer, Verl)  # noqa: S101 - whoever calls has looked
    return recipe.trainer


def _data(recipe: Recipe, rows: Composed, trainer: Verl) -> Keys:
    generation = recipe.generation
    found: Keys = {
        "data.train_files": str(rows.train.absolute()),
        # verl opens a held-out file in any case.
        "data.val_files": str((rows.held_out or rows.train).absolute()),
        "data.train_batch_size": recipe.batch_size,
        "data.max_prompt_length": generation.max_prompt_length,
        "data.max_response_length": generation.max_new_tokens,
        "data.filter_overlong_prompts": False,
        "data.seed": recipe.seed,
    }
    if rows.held_out is None:
        found["data.val_max_samples"] = 1
    return {**found, "data.dataloader_num_workers": 0} if trainer.device == "cpu" else found


def _algorithm(recipe: Recipe) -> Keys:
    match recipe.algorithm:
        case Grpo() as grpo:
            return {
                "algorithm.adv_estimator": "grpo",
                "algorithm.norm_adv_by_std_in_grpo": grpo.scale_by_deviation,
                f"{ACTOR}.use_kl_loss": grpo.kl > 0,
                f"{ACTOR}.kl_loss_coef": grpo.kl,
            }
        case Ppo() as ppo:
            return {
                "algorithm.adv_estimator": "gae",
                "algorithm.gamma": ppo.discount,
                "algorithm.lam": ppo.gae_lambda,
                "algorithm.use_kl_in_reward": ppo.kl > 0,
                "algorithm.kl_ctrl.kl_coef": ppo.kl,
            }


def _actor(recipe: Recipe, trainer: Verl, model: str) -> Keys:
    clip = recipe.algorithm.clip
    found = keys.model(MODEL, recipe.model, model, trainer)
    if recipe.model.type == "pretrained" and recipe.model.lora:
        # Merged on the way to the rollout, which then needs to know nothing of adapters.
        found |= keys.adapters(MODEL, recipe.model.lora) | {f"{MODEL}.lora.merge": True}
    return (
        found
        | {
            f"{ACTOR}.strategy": trainer.strategy,
            f"{ACTOR}.ppo_mini_batch_size": recipe.mini_batch_size or recipe.batch_size,
            f"{ACTOR}.ppo_micro_batch_size_per_gpu": _micro(recipe, trainer),
            f"{ACTOR}.clip_ratio_low": clip,
            f"{ACTOR}.clip_ratio_high": clip,
        }
        | keys.engine(f"{ACTOR}.fsdp_config", trainer)
        | _optimizer(recipe, f"{ACTOR}.optim", recipe.learning_rate)
    )


def _reference(recipe: Recipe, trainer: Verl) -> Keys:
    """The model before training, where there is a divergence from it to measure."""
    if not recipe.algorithm.kl:
        return {}
    prefix = f"{REFERENCE}.fsdp_config"
    found = keys.engine(prefix, trainer)
    del found[f"{prefix}.optimizer_offload"]  # it has none
    if trainer.strategy == "fsdp2":
        del found[f"{prefix}.param_offload"]  # always in main memory
    return found | {f"{REFERENCE}.log_prob_micro_batch_size_per_gpu": _micro(recipe, trainer)}


def _rollout(recipe: Recipe, trainer: Verl) -> Keys:
    generation, rollout = recipe.generation, trainer.rollout
    found: Keys = {
        f"{ROLLOUT}.n": recipe.algorithm.group_size,
        f"{ROLLOUT}.temperature": generation.temperature,
        f"{ROLLOUT}.top_p": generation.top_p,
        f"{ROLLOUT}.seed": recipe.seed,
        f"{ROLLOUT}.dtype": keys.DTYPES[trainer.dtype],
        f"{ROLLOUT}.max_model_len": generation.max_prompt_length + generation.max_new_tokens,
        f"{ROLLOUT}.log_prob_micro_batch_size_per_gpu": _micro(recipe, trainer),
    }
    if trainer.device == "cpu":
        return {**found, f"{ROLLOUT}.name": names.ROLLOUT, f"{ROLLOUT}.tensor_model_parallel_size": 1}
    return {
        **found,
        f"{ROLLOUT}.name": rollout.engine,
        f"{ROLLOUT}.tensor_model_parallel_size": rollout.tensor_parallel_size,
        f"{ROLLOUT}.gpu_memory_utilization": rollout.gpu_memory_utilization,
    }


def _critic(recipe: Recipe, ppo: Ppo, trainer: Verl, model: str) -> Keys:
    """A model of its own, all of whose weights are trained: adapters would leave its new head as it was drawn."""
    rows = _micro(recipe, trainer)
    generation = recipe.generation
    return (
        keys.model(f"{CRITIC}.model", recipe.model, model, trainer)
        | {
            f"{CRITIC}.strategy": trainer.strategy,
            # verl asks for the rows, and computes by the tokens.
            f"{CRITIC}.ppo_micro_batch_size_per_gpu": rows,
            f"+{CRITIC}.ppo_infer_max_token_len_per_gpu": rows
            * (generation.max_prompt_length + generation.max_new_tokens),
        }
        | keys.engine(f"{CRITIC}.fsdp", trainer)
        | _optimizer(recipe, f"{CRITIC}.optim", ppo.critic_learning_rate)
    )


def _tool(calls: int, guest: Path) -> Keys:
    turns = f"{ROLLOUT}.multi_turn"
    return {
        f"{ROLLOUT}.agent.default_agent_loop": "tool_agent",
        f"{turns}.function_tool_path": str(guest / TOOL_FILE),
        f"{turns}.max_assistant_turns": calls + 1,
        f"{turns}.max_user_turns": calls,
        f"{turns}.max_tool_response_length": WHOLE_ANSWER,
        f"{turns}.format": "hermes",
    }


def _reward(recipe: Recipe, trainer: Verl) -> Keys:
    sampler, strict = names.SAMPLER
    told: Keys = {f"+{KWARGS}.{names.LENGTH}": recipe.generation.max_new_tokens}
    if trainer.device == "cpu":
        told[f"+{KWARGS}.{names.POLL}"] = POLL_SECONDS
    return {
        "reward.custom_reward_function.path": f"pkg://{reward.__name__}",
        "reward.custom_reward_function.name": "compute_score",
        "reward.num_workers": 1 if trainer.device == "cpu" else trainer.reward_workers,
        "trainer.v1.sampler.custom_sampler.path": sampler,
        "trainer.v1.sampler.custom_sampler.name": strict,
        **told,
    }


def _run(recipe: Recipe, rows: Composed, trainer: Verl, checkpoints: Path, session: Session, *, fresh: bool) -> Keys:
    whole, chosen, measured = plan(recipe, rows), recipe.checkpoints, rows.held_out is not None
    return (
        keys.run(trainer, checkpoints, recipe.out.name)
        | {
            "trainer.total_epochs": recipe.epochs,
            "trainer.total_training_steps": whole.steps,
            # What it could do before; one that goes on was measured.
            "trainer.val_before_train": measured and fresh,
            "trainer.rollout_data_dir": str(session.folder / ROLLOUTS),
            "trainer.validation_data_dir": str(session.folder / HELD_OUT),
        }
        | keys.frequencies(chosen.save_every, chosen.eval_every, whole.epoch, measured=measured)
    )


def _small() -> Keys:
    """One process where verl starts several of a kind: they would share the processor."""
    return {
        f"{ROLLOUT}.agent.num_workers": 1,
        "transfer_queue.backend.SimpleStorage.num_data_storage_units": 1,
    }


def _optimizer(recipe: Recipe, prefix: str, learning_rate: float) -> Keys:
    return keys.optimizer(
        prefix,
        learning_rate=learning_rate,
        schedule=recipe.schedule,
        weight_decay=recipe.weight_decay,
        max_grad_norm=recipe.max_grad_norm,
    )


def _micro(recipe: Recipe, trainer: Verl) -> int:
    """Answers that a GPU computes at a time."""
    answers = (recipe.mini_batch_size or recipe.batch_size) * recipe.algorithm.group_size
    return keys.micro(keys.each(answers, trainer, "batch_size times group_size"), trainer.micro_batch_size)
