"""A training by verl, from its start or its newest checkpoint to its end."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from core.artifact import write_json
from core.artifact.files import LOGS
from core.llm.checkpoint import resolve
from core.reward import door
from core.rl import watch
from core.rl.job import Job
from core.rl.recipe import Recipe
from core.rl.rollouts import Rollouts
from core.rl.verl.measured import Measured
from core.rl.verl.rollouts import Keeper
from core.rl.verl.settings import plan, settings, verl_of
from core.tuning.rows.composed import Composed
from core.tuning.trl.store import Goal
from core.tuning.verl import interpreter as interpreters
from core.tuning.verl import keys, launch, validate
from core.tuning.verl.arguments import rendered
from core.tuning.verl.interpreter import Interpreter
from core.tuning.verl.saved import Saved
from core.tuning.verl.session import Session

GOAL = Goal(by="eval/reward", lower=False)
CONFIG = "ppo_trainer"
PROGRAM = ("-m", "verl.trainer.main_ppo")
ROLLOUTS = "rollouts.jsonl"
TOOL = "DR_SEARCH_TOOL"
"""Environment variable with the path of the JSON that the guest's tool reads."""


def train(job: Job) -> dict[str, Any]:
    """Train; facts for the manifest. The checkpoints stay in verl's form.

    Raises:
        RecipeError, Missing: verl, its interpreter or this machine do not fit the recipe.
        DrError: the training failed, or a service that it needs.
    """
    recipe, folder = job.recipe, job.folder
    saved = Saved(folder, GOAL, recipe.checkpoints.keep)
    if saved.ended() is None:
        _train(job, saved)
    return launch.outcome(saved, folder)


def check(recipe: Recipe, rows: Composed, folder: Path, *, reward: Path | None = None) -> list[str]:
    """Have the installed verl validate the whole configuration; what it says of it. `folder` is scratch.

    Raises:
        DrError: verl refuses it.
    """
    trainer = verl_of(recipe)
    interpreter = ready(recipe)
    session = Session.begin(folder)
    env = environment_of(recipe, session, reward or folder / "reward.json")
    told = {**session.env(trainer), **env}
    found = settings(recipe, rows, _model(recipe), folder / "checkpoints", session, told, fresh=True)
    return validate.validate(session, trainer, interpreter, CONFIG, found, env)


def ready(recipe: Recipe) -> Interpreter:
    """The interpreter, with all that the recipe needs of it and of this machine.

    Raises:
        RecipeError, Missing: it is not so.
    """
    trainer = verl_of(recipe)
    interpreter = interpreters.ask(trainer)
    keys.check(trainer, interpreter)
    interpreters.check_gpus(interpreter, trainer)
    if trainer.device == "cuda":
        interpreter.need(trainer.rollout.engine, "trainer.rollout.engine", "name another engine")
    if trainer.device == "cuda" and recipe.algorithm.type == "ppo":  # whether it packs or not
        interpreter.need("flash-attn", "algorithm.type: ppo", "algorithm.type=grpo, which has no critic")
    return interpreter


def _train(job: Job, saved: Saved) -> None:
    recipe, folder, trainer = job.recipe, job.folder, verl_of(job.recipe)
    ready(recipe)
    done = saved.begin()
    session = Session.begin(folder)
    env = environment_of(recipe, session, job.reward)
    told = {**session.env(trainer), **env}
    found = settings(recipe, job.rows, _model(recipe), saved.folder.absolute(), session, told, fresh=done is None)
    (folder / LOGS).mkdir(exist_ok=True)
    command = session.command((*PROGRAM, *rendered(found)), trainer, env)
    launch.run(_run(job), saved, command, session, _measured(job, session, done or 0), done or 0, job.beat)
    session.close()


def environment_of(recipe: Recipe, session: Session, reward: Path) -> dict[str, str]:
    """What our code in verl's processes has to know, beside what the session tells."""
    env = {door.REWARD: str(reward.absolute())}
    if recipe.tool:
        tool = session.folder / "tool.json"
        write_json(
            tool, {"tool": recipe.tool.model_dump(mode="json"), "reward": env[door.REWARD], "tokenizer": _model(recipe)}
        )
        env[TOOL] = str(tool)
    return env


def _model(recipe: Recipe) -> str:
    assert recipe.model.type == "pretrained"  # noqa: S101 - the recipe refuses others
    found = resolve(recipe.model.path)
    return str(Path(found).absolute()) if Path(found).is_dir() else found


def _run(job: Job) -> launch.Run:
    recipe = job.recipe
    return launch.Run(
        job.folder,
        plan(recipe, job.rows),
        recipe.tracking,
        recipe.model_dump(mode="json"),
        watch.Wires(recipe),
        watch.knobs(recipe),
        "rl: train",
    )


def _measured(job: Job, session: Session, done: int) -> Callable[[Session], Measured]:
    """How a session is read: `session` itself, and those before it, of which the first `done` steps count."""
    recipe = job.recipe
    reward = json.loads(job.reward.read_text(encoding="utf-8"))
    rollouts = Rollouts(job.folder / LOGS / ROLLOUTS, done)
    answers = recipe.batch_size * recipe.algorithm.group_size

    def of(each: Session) -> Measured:
        last = None if each == session else done
        keep = Keeper(rollouts, number=recipe.kept_rollouts, every=recipe.log_every, last=last, reward=reward)
        return Measured(each.folder, answers, reward["parts"], keep)

    return of
