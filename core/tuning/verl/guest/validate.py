"""Composes a configuration as verl's own program would, and makes what can be made of it without a GPU.

    python -m core.tuning.verl.guest.validate GIVEN.json      {"config", "arguments", "answer"}

The answer is `{"seen": [lines]}` or `{"error": sentence}`. In verl's interpreter, which has none of our packages.
"""

import json
import sys
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_module
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

RL = "ppo_trainer"

REFUSALS = (
    HydraException,
    OmegaConfBaseException,
    AssertionError,
    ValueError,
    TypeError,
    KeyError,
    AttributeError,
    ImportError,
    RuntimeError,
    NotImplementedError,
    OSError,
)
"""What verl raises at a configuration that it does not take: it has no error of its own for it."""


def main(given: Path) -> int:
    """Read what is given, write the answer."""
    asked = json.loads(given.read_text(encoding="utf-8"))
    try:
        told: dict[str, Any] = {"seen": seen(asked["config"], asked["arguments"])}
    except REFUSALS as error:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        told = {"error": " ".join(lines)[:1000] or type(error).__name__}
        if isinstance(error, HydraException):
            told["hint"] = (
                "is a key of `trainer.overrides` misspelt? a leading + adds one that verl's files do not have"
            )
    Path(asked["answer"]).write_text(json.dumps(told, ensure_ascii=False), encoding="utf-8")
    return "error" in told


def seen(name: str, arguments: list[str]) -> list[str]:
    """What is made of the arguments on top of verl's configuration `name`, in lines."""
    # Hydra's own settings are for a program that it runs.
    own = [argument for argument in arguments if not argument.startswith("hydra.")]
    with initialize_config_module("verl.trainer.config", version_base=None):
        config = compose(config_name=name, overrides=own)
    return _rl(config) if name == RL else _sft(config)


def _sft(config: DictConfig) -> list[str]:
    from verl.utils.config import omega_conf_to_dataclass

    OmegaConf.resolve(config)
    for part in ("engine", "optim", "checkpoint", "profiler"):
        omega_conf_to_dataclass(config[part])
    lines = [f"fine-tuning on {config.trainer.n_gpus_per_node} x {config.trainer.nnodes} {config.trainer.device}"]
    if (model := _model(config.model)) is not None and Path(config.data.train_files).is_file():
        from verl.trainer.sft_trainer import create_sft_dataset

        data = create_sft_dataset(config.data.train_files, config.data, model.tokenizer, model.processor)
        first = data[0]
        lines.append(f"{len(data):,} rows; the first has {len(first['input_ids']):,} tokens, "
                     f"{int(first['loss_mask'].sum()):,} of them learned")  # fmt: skip
    return lines


def _rl(config: DictConfig) -> list[str]:
    from verl.trainer.ppo.reward import get_custom_reward_fn, resolve_reward_manager_cls
    from verl.trainer.ppo.utils import need_critic, need_reference_policy
    from verl.utils.config import omega_conf_to_dataclass, validate_config

    OmegaConf.resolve(config)
    critic, reference = need_critic(config), need_reference_policy(config)
    part = config.actor_rollout_ref
    if not Path(part.model.path).is_dir():  # on a hub, or made later
        config.critic.model.path = part.model.path
    validate_config(config, use_reference_policy=reference, use_critic=critic and Path(part.model.path).is_dir())
    omega_conf_to_dataclass(part.rollout)
    omega_conf_to_dataclass(config.algorithm)
    if get_custom_reward_fn(config) is None:
        raise ValueError("no reward function is loaded")
    sampler = config.trainer.v1.sampler.custom_sampler
    if sampler.path:
        from verl.utils.import_utils import load_extern_object

        load_extern_object(sampler.path, sampler.name)
    lines = [
        f"{config.algorithm.adv_estimator} by {part.rollout.name}, {part.rollout.n} answers to a prompt"
        f"{', with a critic' if critic else ''}{', with a reference model' if reference else ''}; "
        f"rewards by {resolve_reward_manager_cls(config).__name__}",
    ]
    tools = _tools(part.rollout.multi_turn)
    if tools:
        lines.append(f"tools: {', '.join(tools)}")
    if (model := _model(part.model)) is not None and Path(config.data.train_files).is_file():
        from verl.utils.dataset.rl_dataset import RLHFDataset

        data = RLHFDataset(config.data.train_files, model.tokenizer, config.data, model.processor)
        lines.append(f"{len(data):,} prompts with {', '.join(sorted(data[0]))}")
    return lines


def _model(config: DictConfig) -> Any:
    """The model's configuration and tokenizer; None where the model is not on this machine."""
    from verl.utils.config import omega_conf_to_dataclass

    return omega_conf_to_dataclass(config) if Path(config.path).is_dir() else None


def _tools(turns: DictConfig) -> list[str]:
    if not (turns.tool_config_path or turns.function_tool_path):
        return []
    from verl.tools.tool_registry import load_all_tools

    return [tool.name for tool in load_all_tools(turns.tool_config_path, turns.function_tool_path)]


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
