"""Keys of verl 0.9.1 that fine-tuning and reinforcement learning share, and the arithmetic of their batches.

A key is here when verl's code reads it: many of its files' keys are read by nobody.
"""

from pathlib import Path
from typing import Any

from core.errors import RecipeError
from core.tuning.spec import Lora, Model, Schedule, Verl
from core.tuning.verl.arguments import Keys
from core.tuning.verl.interpreter import Interpreter

OURS = {
    "trainer.default_local_dir": "checkpoints are part of the artifact",
    "trainer.resume_mode": "a run goes on from the checkpoints of its artifact: another `out` begins anew",
    "trainer.resume_from_path": "model.path names what a training begins with",
    "trainer.logger": "`tracking` says who follows the training",
    "trainer.total_epochs": "epochs=N",
    "trainer.total_training_steps": "steps=N",
    "trainer.device": "trainer.device=cuda or cpu",
    "trainer.nnodes": "trainer.nodes=N",
    "trainer.n_gpus_per_node": "trainer.gpus=N",
    "data.train_batch_size": "batch_size=N",
    "data.train_files": "`data` names the rows",
    "data.val_files": "`data` names the rows",
}
"""Keys that whoever follows the run relies on -> what says it in a recipe."""

DTYPES = {"fp32": "float32", "bf16": "bfloat16"}


def model(prefix: str, model: Model, path: str, trainer: Verl) -> Keys:
    """The model below `prefix`; a folder as an absolute path, since verl works in one of its own."""
    keys: Keys = {
        f"{prefix}.path": str(Path(path).absolute()) if Path(path).is_dir() else path,
        f"{prefix}.use_remove_padding": packs(trainer),
        f"{prefix}.enable_gradient_checkpointing": trainer.gradient_checkpointing,
    }
    if model.type == "pretrained" and model.trust_remote_code:
        keys[f"{prefix}.trust_remote_code"] = True
    if not packs(trainer):
        # verl's own choice is flash attention, which packs.
        keys[f"+{prefix}.override_config.attn_implementation"] = "sdpa"
    return keys


def adapters(prefix: str, lora: Lora | None) -> Keys:
    """Adapters of the model below `prefix`.

    Raises:
        RecipeError: verl has no dropout for them.
    """
    if lora is None:
        return {}
    if lora.dropout:
        hint = "model.lora.dropout=0, or trainer.type=trl"
        raise RecipeError(f"verl's adapters have no dropout, the recipe says {lora.dropout:g}", hint=hint)
    target = lora.target_modules
    return {
        f"{prefix}.lora_rank": lora.rank,
        f"{prefix}.lora_alpha": lora.alpha,
        f"{prefix}.target_modules": target if isinstance(target, str) else list(target),
    }


def optimizer(
    prefix: str, *, learning_rate: float, schedule: Schedule, weight_decay: float, max_grad_norm: float
) -> Keys:
    """AdamW and its schedule below `prefix`.

    Raises:
        RecipeError: verl has no linear decay.
    """
    if schedule.decay == "linear":
        raise RecipeError("verl's learning rate is constant or falls as a cosine", hint="schedule.decay=cosine")
    keys: Keys = {
        f"{prefix}.lr": learning_rate,
        f"{prefix}.weight_decay": weight_decay,
        f"{prefix}.clip_grad": max_grad_norm,
        f"{prefix}.lr_scheduler_type": schedule.decay,
    }
    if schedule.warm_up_steps is None:
        return {**keys, f"{prefix}.lr_warmup_steps_ratio": schedule.warm_up}
    # To verl no step means: as the ratio says, which is 0 where nobody sets it.
    return {**keys, f"{prefix}.lr_warmup_steps": schedule.warm_up_steps}


def engine(prefix: str, trainer: Verl) -> Keys:
    """How weights are computed and shared out, below `prefix`."""
    keys: Keys = {
        # Of `dtype` FSDP reads nothing.
        f"+{prefix}.mixed_precision": {"param_dtype": trainer.dtype, "reduce_dtype": "fp32", "buffer_dtype": "fp32"},
        f"{prefix}.param_offload": trainer.offload,
        f"{prefix}.optimizer_offload": trainer.offload,
        f"{prefix}.ulysses_sequence_parallel_size": trainer.sequence_parallel,
    }
    # Compiling costs a processor more than the few steps that it is for.
    return {**keys, f"{prefix}.use_torch_compile": False} if trainer.device == "cpu" else keys


def run(trainer: Verl, checkpoints: Path, name: str) -> Keys:
    """Where it runs, and what it keeps: verl deletes nothing, since it knows no best checkpoint; see `saved`."""
    return {
        "trainer.device": trainer.device,
        "trainer.nnodes": trainer.nodes,
        "trainer.n_gpus_per_node": trainer.gpus,
        "trainer.logger": ["console", "file"],
        "trainer.project_name": "dr",
        "trainer.experiment_name": name,
        "trainer.default_local_dir": str(checkpoints),
        "trainer.resume_mode": "auto",
    }


def packs(trainer: Verl) -> bool:
    """Whether rows are computed without padding."""
    return trainer.remove_padding and trainer.device == "cuda"


def check(trainer: Verl, interpreter: Interpreter) -> None:
    """Look at what a recipe says of devices.

    Raises:
        RecipeError: it cannot be so.
        Missing: a package is needed that the interpreter does not have.
    """
    if trainer.sequence_parallel > 1 and not packs(trainer):
        hint = "trainer.sequence_parallel=1, or trainer.remove_padding=true on GPUs"
        raise RecipeError("sequences are shared among GPUs only where they are packed", hint=hint)
    if trainer.nodes > 1 and trainer.ray_address is None:
        what = f"{trainer.nodes} nodes are a Ray cluster, and the recipe names none"
        raise RecipeError(what, hint="`ray start` on each of them, then trainer.ray_address=HOST:6379")
    if trainer.device == "cpu" and (trainer.nodes > 1 or trainer.ray_address):
        raise RecipeError("without GPUs verl runs on this machine alone", hint="trainer.nodes=1, and no ray_address")
    if packs(trainer):
        interpreter.need("flash-attn", "trainer.remove_padding", "trainer.remove_padding=false, which pads instead")


def shares(trainer: Verl) -> int:
    """Parts that a batch is split into: GPUs, those that share each sequence as one."""
    return trainer.gpus * trainer.nodes // trainer.sequence_parallel


def each(rows: int, trainer: Verl, what: str) -> int:
    """Rows of a share.

    Raises:
        RecipeError: they do not divide.
    """
    number = shares(trainer)
    if rows % number:
        raise RecipeError(f"{what} is {rows}, which does not divide among {number} GPUs", hint="make it a multiple")
    return rows // number


def micro(rows: int, most: int) -> int:
    """Rows computed at a time: as many as `most` at most, and such that they divide `rows`, as verl asks."""
    return next(size for size in range(min(rows, most), 0, -1) if rows % size == 0)


def steps(count: int, batch_size: int, epochs: int, most: int | None) -> tuple[int, int]:
    """Steps of the training, and of an epoch: verl leaves out what does not fill a batch.

    Raises:
        RecipeError: the rows do not fill one batch.
    """
    epoch = count // batch_size
    if not epoch:
        what = f"{count:,} rows do not fill one batch of {batch_size:,}"
        raise RecipeError(what, hint=f"batch_size={count}, or more rows")
    whole = epoch * epochs
    return (whole if most is None else min(whole, most)), epoch


def frequencies(save_every: int | None, eval_every: int | None, epoch: int, *, measured: bool) -> dict[str, Any]:
    """When it saves and measures; both at the last step besides."""
    save = save_every or epoch
    return {"trainer.save_freq": save, "trainer.test_freq": (eval_every or save) if measured else -1}
