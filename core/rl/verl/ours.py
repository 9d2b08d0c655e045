"""Keys of verl that `trainer.overrides` leaves alone.

Without them a failure of a reward could pass as a score, or what verl writes could not be read.
"""

from core.tuning.verl import keys

_SAMPLER = "the sampler is ours, which ends a run where an answer or its reward failed; it filters no groups"
_REWARD = (
    "the recipe's `reward` says what an answer earns, by a function of yours too; verl's own makes zeros of failures"
)
_TOOL = "the recipe's `tool` says what the model may call"

_ROLLOUT = "actor_rollout_ref.rollout"

OURS = {
    **keys.OURS,
    "algorithm.filter_groups": _SAMPLER,
    "trainer.v1.sampler": _SAMPLER,
    "trainer.v1.trainer_mode": _SAMPLER,
    "trainer.use_v1": _SAMPLER,
    "reward.custom_reward_function": _REWARD,
    "reward.reward_manager": _REWARD,
    "reward.reward_model": _REWARD,
    "custom_reward_function": _REWARD,
    "reward_model": _REWARD,
    "trainer.rollout_data_dir": "answers are in logs/rollouts.jsonl; `kept_rollouts` says how many",
    "trainer.validation_data_dir": "what is held out is measured by what verl writes there",
    "skip": "answers are written anew in each run",
    f"{_ROLLOUT}.name": "trainer.rollout.engine",
    f"{_ROLLOUT}.mode": "verl has one mode",
    f"{_ROLLOUT}.n": "algorithm.group_size=N",
    f"{_ROLLOUT}.agent.default_agent_loop": _TOOL,
    f"{_ROLLOUT}.agent.agent_loop_config_path": _TOOL,
    f"{_ROLLOUT}.multi_turn.function_tool_path": _TOOL,
    f"{_ROLLOUT}.multi_turn.tool_config_path": _TOOL,
}
"""Name, which stands for those below it too -> what says it in a recipe."""
