"""From verl's best checkpoint to the model of an artifact."""

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from core import process
from core.artifact.files import LOGS
from core.tuning.models import whole
from core.tuning.spec import Model, Pretrained, Verl
from core.tuning.verl.merge import merge

MERGED, LOG = "merged", "merge.log"


def conclude(
    checkpoint: Path,
    spec: Model,
    trainer: Verl,
    base: str,
    folder: Path,
    facts: Mapping[str, Any] | None,
    beat: Callable[[], None] = process.nothing,
) -> None:
    """As `core.tuning.models.whole.conclude`, of verl's checkpoint `global_step_N`.

    Raises:
        ContractError: it is no checkpoint of verl, or its adapters are for another base.
        ProcessFailed: verl's merger failed.
    """
    trusted = isinstance(spec, Pretrained) and spec.trust_remote_code
    place = folder / MERGED
    merged = merge(checkpoint, place, trainer.python, folder / LOGS / LOG, beat, trust_remote_code=trusted)
    whole.conclude(merged, spec, base, folder, facts)
    shutil.rmtree(place)
