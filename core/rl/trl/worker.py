"""The process of a training by rewards: `python -m core.rl.trl.worker FOLDER`."""

import contextlib
import logging
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trl.trainer.grpo_config import GRPOConfig

from core import digest, worker
from core.artifact.files import LOGS
from core.reward.scorer import Scorer
from core.rl.recipe import Grpo, Recipe
from core.rl.rollouts import Rollouts
from core.rl.tool.search import Search, cut_at
from core.rl.trl import questions, searcher
from core.rl.trl.launch import GOAL, steps, steps_an_epoch
from core.rl.trl.names import Renamed
from core.rl.trl.questions import Questions
from core.rl.trl.reward import Kept, Reward, names
from core.rl.trl.trainer import Trainer
from core.rl.watch import Wires, knobs
from core.tuning.models.load import Loaded, load
from core.tuning.models.start import fingerprint
from core.tuning.spec import Pretrained
from core.tuning.trained import trl_of
from core.tuning.trl import session
from core.tuning.trl.arguments import FIELDS, common, made, micro_batches
from core.tuning.trl.follow import Follow, Plan
from core.tuning.trl.store import Store

ROLLOUTS = "rollouts.jsonl"

OURS = {
    **FIELDS,
    "num_generations": "algorithm.group_size",
    "epsilon": "algorithm.clip",
    "beta": "algorithm.kl",
    "scale_rewards": "algorithm.scale_by_deviation",
    "temperature": "generation.temperature",
    "top_p": "generation.top_p",
    "max_completion_length": "generation.max_new_tokens",
    "steps_per_generation": "batch_size",
    "generation_batch_size": "batch_size",
    "max_tool_calling_iterations": "tool.max_calls",
    "num_generations_eval": "checkpoints.eval_every",
    "shuffle_dataset": "seed",
    "reward_weights": "reward.parts",
    "num_iterations": "mini_batch_size",  # more passes over the same answers would be no steps of ours
    # Faster writers are verl's: here their answers to what is held out would not be greedy.
    "use_vllm": "trainer.type",
    "use_transformers_continuous_batching": "trainer.type",
    "use_transformers_paged": "trainer.type",
}
"""Arguments that follow from fields of the recipe."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Searching:
    """The tool, and what has gone wrong with its service."""

    tools: list[Callable[..., str]]
    search: Search | None

    def failure(self) -> Any:
        """Why the service gave no answer; None: all is well."""
        return self.search.failure if self.search else None


def train(given: dict[str, Any], folder: Path) -> None:
    """Train as the recipe in `given` says, and leave checkpoints and logs."""
    recipe = Recipe.model_validate(given["recipe"])
    held_out = Path(given["held_out"]) if given["held_out"] else None
    store = Store(folder, GOAL, recipe.checkpoints.keep)
    newest = store.begin({"rows": digest.of_file(Path(given["train"])), "model": fingerprint(given["model"])})
    with session.opened(recipe, folder, given["recipe"], knobs(recipe)) as tracker:
        loaded = load(recipe.model, given["model"])
        asked = questions.read(Path(given["train"]), held_out)
        plan = _plan(recipe, asked)
        arguments = _arguments(recipe, plan, store)
        arguments.eval_on_start = plan.measures and newest is None
        with Scorer.load(given["reward"]) as scorer, _searching(recipe, given, loaded) as searching:
            questions.check_lengths(asked, loaded, recipe, searching.tools)
            keep = Kept(
                Rollouts(folder / LOGS / ROLLOUTS, newest.step if newest else 0),
                number=recipe.kept_rollouts,
                every=recipe.log_every,
                updates=plan.updates,
            )
            reward = Reward(
                scorer,
                asked.samples,
                train=asked.train,
                decode=lambda ids: list(loaded.tokenizer.batch_decode(ids, skip_special_tokens=True)),
                failure=searching.failure,
                keep=keep,
            )

            def trainer(follow: Follow) -> Trainer:
                return Trainer(
                    model=loaded.model,
                    reward_funcs=reward,
                    args=arguments,
                    train_dataset=asked.rows(questions.order(asked.train, plan.steps * recipe.batch_size, recipe.seed)),
                    eval_dataset=asked.held_out(),
                    processing_class=loaded.tokenizer,
                    peft_config=loaded.adapters,
                    callbacks=[follow],
                    tools=searching.tools or None,
                )

            rename = Renamed(names(scorer.config, scorer.keys))
            session.train(trainer, store, newest, plan, tracker, Wires(recipe), folder, rename=rename)


@contextlib.contextmanager
def _searching(recipe: Recipe, given: dict[str, Any], loaded: Loaded) -> Iterator[Searching]:
    """The search tool, where the recipe has one.

    Raises:
        ContractError: the model cannot call it.
    """
    if recipe.tool is None:
        yield Searching([], None)
        return
    questions.check_calls(loaded.tokenizer, given["model"])
    tool = recipe.tool.model_dump()
    search = Search.load(given["reward"], tool, cut_at(loaded.tokenizer, recipe.tool.max_result_tokens))
    try:
        yield Searching([searcher.function(tool, search)], search)
    finally:
        search.close()


def _plan(recipe: Recipe, asked: Questions) -> Plan:
    return Plan(
        steps=steps(recipe, asked.train),
        steps_an_epoch=steps_an_epoch(recipe, asked.train),
        rows_a_step=recipe.batch_size * recipe.algorithm.group_size,
        log_every=recipe.log_every,
        checkpoints=recipe.checkpoints,
        measures=len(asked.prompts) > asked.train,
        updates=recipe.batch_size // (recipe.mini_batch_size or recipe.batch_size),
    )


def _arguments(recipe: Recipe, plan: Plan, store: Store) -> GRPOConfig:
    algorithm, generation, updates = recipe.algorithm, recipe.generation, plan.updates
    assert isinstance(algorithm, Grpo)  # noqa: S101 - PPO is verl's
    size, accumulated = micro_batches(recipe, plan.rows_a_step // updates)
    values = {
        **common(recipe, plan.steps, store.unfinished, updates=updates),
        "per_device_train_batch_size": size,
        "per_device_eval_batch_size": size,
        "gradient_accumulation_steps": accumulated,
        "steps_per_generation": accumulated * updates,
        "num_generations": algorithm.group_size,
        "num_generations_eval": 1,
        "epsilon": algorithm.clip,
        "beta": algorithm.kl,
        "scale_rewards": "group" if algorithm.scale_by_deviation else "none",
        "temperature": generation.temperature,
        "top_p": generation.top_p,
        "max_completion_length": generation.max_new_tokens,
        "max_tool_calling_iterations": recipe.tool.max_calls if recipe.tool else None,
        "shuffle_dataset": False,  # the rows come in their order already
        "trust_remote_code": isinstance(recipe.model, Pretrained) and recipe.model.trust_remote_code,
    }
    arguments: GRPOConfig = made(GRPOConfig, values, trl_of(recipe).overrides, OURS)
    return arguments


if __name__ == "__main__":
    sys.exit(worker.main(train, Path(sys.argv[1])))
