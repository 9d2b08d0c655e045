"""From a recipe to the arguments of TRL's trainers."""

import dataclasses
import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from transformers import TrainingArguments

from core.errors import Missing, RecipeError
from core.tuning.trained import Trained, trl_of

FIELDS = {
    "output_dir": "out",
    "max_steps": "steps",
    "num_train_epochs": "epochs",
    "seed": "seed",
    "save_strategy": "checkpoints.save_every",
    "save_steps": "checkpoints.save_every",
    "save_total_limit": "checkpoints.keep",
    "eval_strategy": "checkpoints.eval_every",
    "eval_steps": "checkpoints.eval_every",
    "logging_strategy": "log_every",
    "logging_steps": "log_every",
    "report_to": "tracking.backends",
    "resume_from_checkpoint": "out",
    "per_device_train_batch_size": "trainer.micro_batch_size",
    "gradient_accumulation_steps": "trainer.micro_batch_size",
    "gradient_checkpointing": "trainer.gradient_checkpointing",
    "activation_checkpointing": "trainer.gradient_checkpointing",
    "bf16": "trainer.precision",
    "use_cpu": "trainer.device",
    "learning_rate": "learning_rate",
    "weight_decay": "weight_decay",
    "max_grad_norm": "max_grad_norm",
    "warmup_steps": "schedule.warm_up_steps",
}
"""Arguments that follow from fields of ours; the same by `overrides` would be said twice."""

# Newer versions of transformers warn of the old name.
CHECKPOINTING = "activation_checkpointing"
if CHECKPOINTING not in TrainingArguments.__dataclass_fields__:
    CHECKPOINTING = "gradient_checkpointing"

SCHEDULES = {"constant": "constant_with_warmup", "linear": "linear", "cosine": "cosine"}


def common(recipe: Trained, steps: int, folder: Path, *, updates: int = 1) -> dict[str, Any]:
    """Arguments of any training; when it logs, measures and saves is the business of `follow`.

    `updates`: changes of the weights in a step of ours, each of which the trainer counts as one.

    Raises:
        Missing: the device is not there.
    """
    trainer = trl_of(recipe)
    check_device(trainer.device)
    given = recipe.schedule.warm_up_steps
    rising = round(recipe.schedule.warm_up * steps) if given is None else given
    return {
        "output_dir": str(folder),
        "max_steps": steps * updates,
        "learning_rate": recipe.learning_rate,
        "lr_scheduler_type": SCHEDULES[recipe.schedule.decay],
        "warmup_steps": rising * updates,
        "weight_decay": recipe.weight_decay,
        "max_grad_norm": recipe.max_grad_norm,
        "seed": recipe.seed,
        "bf16": trainer.precision == "bf16",
        "use_cpu": on_cpu(trainer.device),
        CHECKPOINTING: trainer.gradient_checkpointing,
        f"{CHECKPOINTING}_kwargs": {"use_reentrant": False},
        "dataloader_pin_memory": not on_cpu(trainer.device),
        "save_strategy": "no",
        "eval_strategy": "no",
        "logging_strategy": "no",
        "logging_nan_inf_filter": False,  # a loss that is no number must be seen
        "report_to": "none",
        "disable_tqdm": True,
        "log_level": "error",
    }


def made(
    kind: type[Any], values: Mapping[str, Any], overrides: Mapping[str, Any], fields: Mapping[str, str] = FIELDS
) -> Any:
    """A `kind` (SFTConfig, GRPOConfig) of `values`, over which `overrides` of the recipe go.

    `fields` are arguments that overrides may not have, with the fields of the recipe that say them.

    Raises:
        RecipeError: there is no such argument, one of them is a field of ours, or its value is refused.
    """
    known = {field.name for field in dataclasses.fields(kind) if field.init}
    for name in overrides:
        where = f"trainer.overrides.{name}"
        if name not in known:
            near = difflib.get_close_matches(name, known, n=3)
            hint = f"did you mean {', '.join(f'`{each}`' for each in near)}?" if near else None
            raise RecipeError(f"`{name}` is no argument of {kind.__name__}", where=where, hint=hint)
        if name in fields:
            raise RecipeError(f"`{name}` follows from the recipe", where=where, hint=f"set `{fields[name]}`")
    try:
        arguments = kind(**{**values, **overrides})
    except (ValueError, TypeError) as error:
        if not overrides:
            raise
        raise RecipeError(f"{kind.__name__} refuses this: {error}", where="trainer.overrides") from None
    arguments._n_gpu = min(arguments.n_gpu, 1)  # one process, one GPU: no DataParallel
    return arguments


def on_cpu(device: str) -> bool:
    """Whether the CPU computes."""
    found = torch.cuda.is_available() or torch.backends.mps.is_available()
    return device == "cpu" or (device == "auto" and not found)


def check_device(device: str) -> None:
    """Raises Missing when torch cannot use `device`."""
    available = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if not available.get(device, True):
        hint = "trainer.device=auto takes what is there"
        raise Missing(f"there is no device `{device}` that torch can use", where="trainer.device", hint=hint)


def micro_batches(recipe: Trained, rows: int) -> tuple[int, int]:
    """Rows computed at a time, and how often a step does so, where a step has `rows` rows.

    Raises:
        RecipeError: the step cannot be cut so.
    """
    size = trl_of(recipe).micro_batch_size
    if size is None or size >= rows:
        return rows, 1
    if rows % size:
        hint = f"take a number that divides {rows}"
        raise RecipeError(
            f"a step of {rows} rows cannot be cut into {size} at a time",
            where="trainer.micro_batch_size",
            hint=hint,
        )
    return size, rows // size
