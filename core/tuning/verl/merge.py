"""From verl's sharded checkpoint to a Hugging Face directory, by verl's own merger in verl's interpreter.

A checkpoint is the folder `global_step_N`: of fine-tuning itself, of reinforcement learning its `actor`. What comes out
is in 16 bits, as the merger writes it.
"""

import shutil
from collections.abc import Callable
from pathlib import Path

from core import process
from core.errors import ContractError, ProcessFailed
from core.process import Command

ACTOR, SHARDS, ADAPTER = "actor", "fsdp_config.json", "lora_adapter"
"""The model among what RL saves; what every folder of shards holds; where the merger puts adapters."""


def is_checkpoint(folder: Path) -> bool:
    """Whether verl saved a model there."""
    return (shards(folder) / SHARDS).is_file()


def shards(checkpoint: Path) -> Path:
    """Where the model's shards are."""
    return checkpoint / ACTOR if (checkpoint / ACTOR).is_dir() else checkpoint


def command(checkpoint: Path, place: Path, python: Path, *, trust_remote_code: bool = False) -> Command:
    """What merges the shards of `checkpoint` into `place`."""
    argv = [str(python), "-m", "verl.model_merger", "merge", "--backend", "fsdp"]
    argv += ["--local_dir", str(shards(checkpoint)), "--target_dir", str(place)]
    argv += ["--trust-remote-code"] if trust_remote_code else []
    return Command(tuple(argv))


def merge(
    checkpoint: Path,
    place: Path,
    python: Path,
    log: Path,
    beat: Callable[[], None] = process.nothing,
    *,
    trust_remote_code: bool = False,
) -> Path:
    """The folder in `place` that holds the trained model, or only its adapters where LoRA was trained.

    It is a checkpoint as `core.tuning.models.whole` takes it. `place` is replaced.

    Raises:
        ContractError: `checkpoint` is none of verl's.
        ProcessFailed: the merger failed.
    """
    if not is_checkpoint(checkpoint):
        what = "this is no checkpoint of verl: its shards are not there"
        raise ContractError(what, where=str(shards(checkpoint) / SHARDS), hint="name a folder `global_step_N`")
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    try:
        process.run(command(checkpoint, place, python, trust_remote_code=trust_remote_code), log, beat)
    except ProcessFailed as failed:
        raise ProcessFailed(f"{checkpoint} could not be merged: {failed.what}", where=failed.where) from None
    return place / ADAPTER if (place / ADAPTER).is_dir() else place
