"""Fine-tuning by verl: the recipe as its keys, and a run from its start or its newest checkpoint to its end."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from core.artifact.files import LOGS
from core.errors import Missing, RecipeError
from core.sft.recipe import Recipe
from core.tuning.rows.composed import Composed
from core.tuning.spec import Verl
from core.tuning.trl.store import Goal
from core.tuning.verl import interpreter as interpreters
from core.tuning.verl import keys, launch, validate
from core.tuning.verl.arguments import Keys, merged, rendered
from core.tuning.verl.follow import Lines, Plan, Values, renamed
from core.tuning.verl.held_out import filled
from core.tuning.verl.interpreter import Interpreter
from core.tuning.verl.saved import Saved
from core.tuning.verl.session import METRICS, Session, hydra
from core.tuning.watch import advice
from core.tuning.watch.loss import LossWatch

GOAL = Goal(by="eval/loss", lower=True)
CONFIG = "sft_trainer_engine"

NAMES = {
    "train/loss": "train/loss",
    "train/lr": "train/learning_rate",
    "train/grad_norm": "train/grad_norm",
    "val/loss": GOAL.by,
}
"""verl's names of what it measures, and ours."""


def train(recipe: Recipe, folder: Path, rows: Composed, model: str) -> dict[str, Any]:
    """Train `model` in `folder`, an unfinished artifact; facts for the manifest. The checkpoints stay in verl's form.

    Raises:
        RecipeError, Missing: verl, its interpreter or this machine do not fit the recipe.
        DrError: the training failed.
    """
    trainer = verl_of(recipe)
    saved = Saved(folder, GOAL, recipe.checkpoints.keep)
    if saved.ended() is None:
        interpreter = ready(trainer)
        done = saved.begin() or 0
        session = Session.begin(folder)
        settings = arguments(recipe, rows, model, saved.folder.absolute(), interpreter, session.folder)
        (folder / LOGS).mkdir(exist_ok=True)
        command = session.command((*program(trainer), *rendered(settings)), trainer, _ray(trainer))
        launch.run(_run(recipe, folder, rows), saved, command, session, _source, done)
        session.close()
    return launch.outcome(saved, folder)


def ready(trainer: Verl) -> Interpreter:
    """The interpreter, with all that the recipe needs of it and of this machine.

    Raises:
        RecipeError, Missing: it is not so.
    """
    interpreter = interpreters.ask(trainer)
    keys.check(trainer, interpreter)
    interpreters.check_gpus(interpreter, trainer)
    return interpreter


def check(recipe: Recipe, rows: Composed, model: str | None, folder: Path) -> list[str]:
    """Have the installed verl validate the whole configuration; what it says of it. `folder` is scratch.

    `model`: None where it is made later.

    Raises:
        DrError: verl refuses it.
    """
    trainer = verl_of(recipe)
    interpreter = ready(trainer)
    session = Session.begin(folder)
    settings = arguments(recipe, rows, model or "later", folder / "checkpoints", interpreter, session.folder)
    return validate.validate(session, trainer, interpreter, CONFIG, settings)


def arguments(
    recipe: Recipe, rows: Composed, model: str, checkpoints: Path, interpreter: Interpreter, scratch: Path
) -> Keys:
    """The recipe as verl's keys; the user's overrides in place of ours.

    Raises:
        RecipeError: verl has no key for something in it, or batches do not divide.
    """
    trainer = verl_of(recipe)
    own = keys.each(recipe.batch_size, trainer, "batch_size")
    plan, measured = _plan(recipe, rows), rows.held_out is not None
    found: Keys = {
        "data.train_files": str(rows.train.absolute()),
        "data.train_batch_size": recipe.batch_size,
        "data.micro_batch_size_per_gpu": keys.micro(own, trainer.micro_batch_size),
        "data.use_dynamic_bsz": False,
        "data.max_length": recipe.max_length,
        "data.truncation": recipe.truncation,
    }
    if rows.held_out is not None:
        found["data.val_files"] = str(filled(rows.held_out, recipe.batch_size, scratch))
    if trainer.device == "cpu":
        found["data.num_workers"] = 0
    found |= keys.model("model", recipe.model, model, trainer)
    if recipe.model.type == "pretrained":
        found |= keys.adapters("model", recipe.model.lora)
    if _has_liger(recipe, trainer, interpreter):
        found["model.use_liger"] = True
    found |= {"engine.strategy": trainer.strategy} | keys.engine("engine", trainer)
    found |= keys.optimizer(
        "optim",
        learning_rate=recipe.learning_rate,
        schedule=recipe.schedule,
        weight_decay=recipe.weight_decay,
        max_grad_norm=recipe.max_grad_norm,
    )
    found |= keys.run(trainer, checkpoints, recipe.out.name)
    found |= {"trainer.total_epochs": recipe.epochs, "trainer.total_training_steps": plan.steps}
    chosen = recipe.checkpoints
    found |= keys.frequencies(chosen.save_every, chosen.eval_every, plan.epoch, measured=measured)
    return merged(found | hydra(scratch), trainer.overrides, keys.OURS)


def program(trainer: Verl) -> tuple[str, ...]:
    """verl's trainer: a process for each GPU of this machine, or one that asks a Ray cluster for them."""
    if trainer.ray_address:
        return ("-m", f"{_MODULE}_ray")
    return ("-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={trainer.gpus}", "--module", _MODULE)


_MODULE = "verl.trainer.sft_trainer"


def verl_of(recipe: Recipe) -> Verl:
    """The trainer of a recipe that names verl."""
    assert isinstance(recipe.trainer, Verl)  # noqa: S101 - whoever calls has looked
    return recipe.trainer


def _ray(trainer: Verl) -> dict[str, str]:
    return {"RAY_ADDRESS": trainer.ray_address} if trainer.ray_address else {}


def _has_liger(recipe: Recipe, trainer: Verl, interpreter: Interpreter) -> bool:
    if recipe.liger and trainer.device == "cpu":
        raise RecipeError("liger's kernels need a GPU", hint="liger=null, which takes them where they can run")
    if recipe.liger and not interpreter.has("liger-kernel"):
        what = "`liger` is true, and verl's interpreter does not have liger-kernel"
        raise Missing(what, where=str(interpreter.python), hint="install it there, or liger=null")
    return recipe.liger is not False and trainer.device == "cuda" and interpreter.has("liger-kernel")


def _plan(recipe: Recipe, rows: Composed) -> Plan:
    steps, epoch = keys.steps(rows.count, recipe.batch_size, recipe.epochs, recipe.steps)
    return Plan(steps, epoch, recipe.log_every)


def _run(recipe: Recipe, folder: Path, rows: Composed) -> launch.Run:
    return launch.Run(
        folder,
        _plan(recipe, rows),
        recipe.tracking,
        recipe.model_dump(mode="json"),
        LossWatch(recipe),
        advice.knobs(recipe),
        "sft: train",
    )


def _source(session: Session) -> "Measured":
    return Measured(session.folder / METRICS)


class Measured:
    """What verl measures, by our names, as it comes."""

    def __init__(self, metrics: Path) -> None:
        self._lines = Lines(metrics)

    def __call__(self, over: bool) -> Iterable[tuple[int, Values]]:  # noqa: ARG002 - rows are whole at once
        """Steps that are new since the last call."""
        for row in self._lines.new():
            yield int(row["step"]), renamed(row["data"], NAMES)
