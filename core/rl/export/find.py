"""Which checkpoint is meant, and what its training says of it. Imports nothing heavy."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from core import artifact
from core.artifact.files import CLAIM, MANIFEST, read_json
from core.errors import ArtifactError
from core.llm import checkpoint as checkpoints
from core.llm.checkpoint import MODEL
from core.retrieval.checkpoints import CHECKPOINTS, PREFIX, found
from core.tuning.trl.store import BEST, Goal
from core.tuning.verl import merge, saved

ADAPTER, CONFIG = "adapter_config.json", "config.json"

Kind = Literal["model", "adapter", "verl"]


@dataclass(frozen=True)
class Found:
    """A checkpoint."""

    folder: Path
    kind: Kind
    step: int | None
    """Of its training. None: nobody says."""
    training: Path | None
    """The artifact, finished or not, that it lies in. None: it is a folder of its own."""


def find(name: str, step: int | None) -> Found:
    """The checkpoint that `name` means; of a training that of `step`, or its result, or its best so far.

    Raises:
        ArtifactError: there is no such folder, no checkpoint in it, none of this step, or it is no checkpoint at all.
    """
    path = Path(name)
    if not path.is_dir():
        hint = "name an artifact of `dr sft train` or `dr rl train`, or the folder of a checkpoint"
        raise ArtifactError("there is no such folder", where=name, hint=hint)
    if not any((path / mark).exists() for mark in (MANIFEST, CLAIM, CHECKPOINTS)):
        if step is not None:
            raise ArtifactError("`step` chooses among the checkpoints of a training, this is one folder", where=name)
        return Found(path, _kind(path), _step(path), _training(path))
    if step is None and (path / MANIFEST).exists():
        return Found(path / MODEL, _kind(path / MODEL), _best(path), path)
    steps = _steps(path)
    if not steps:
        raise ArtifactError("this training has no whole checkpoint yet", where=str(path / CHECKPOINTS))
    best = _best(path)
    chosen = step if step is not None else best if best in steps else max(steps)
    if chosen not in steps:
        hint = f"there are {', '.join(map(str, sorted(steps)))}"
        raise ArtifactError(f"this training has no checkpoint of step {chosen}", where=str(path), hint=hint)
    return Found(steps[chosen], _kind(steps[chosen]), chosen, path)


def prompts(found: Found) -> dict[str, Any] | None:
    """Facts of the prompts that the model was trained with; None where nobody wrote them down."""
    places = [found.folder] if found.training is None else [found.folder, found.training / MODEL]
    for place in places:
        if known := checkpoints.prompts(str(place)):
            return known
    told = _facts(found)
    if known := told.get("stats", {}).get("prompts"):
        return dict(known)
    rows = [each["path"] for each in told.get("inputs", {}).values() if each["stage"] == "rows"]
    of_rows = [artifact.read(Path(path), ("rows",))["stats"].get("prompts") for path in rows]
    alike = len({json.dumps(facts, sort_keys=True) for facts in of_rows}) == 1
    return dict(of_rows[0]) if alike and of_rows[0] else None


def base(found: Found) -> str | None:
    """The model that the training began with: folder or name. None: nobody says, or it was made for that training."""
    told = _facts(found)
    for known in (told.get("inputs", {}), told.get("sources", {})):
        if "model.path" in known:
            return checkpoints.resolve(known["model.path"]["path"])
    named = told.get("identity", {}).get("model.path")
    return str(named) if named else None


def base_of_adapter(folder: Path) -> str | None:
    """What an adapter says that it is for; None when that is not there any more."""
    told = read_json(folder / ADAPTER).get("base_model_name_or_path")
    name = str(told) if told else ""
    is_place = name.startswith(("/", ".")) or name.count("/") > 1
    return None if not name or (is_place and not Path(name).is_dir()) else name


def _facts(found: Found) -> dict[str, Any]:
    """The manifest of the training, or what an unfinished one is to become."""
    if found.training is None:
        return {}
    place = next((found.training / name for name in (MANIFEST, CLAIM) if (found.training / name).exists()), None)
    return read_json(place) if place else {}


def _kind(folder: Path) -> Kind:
    """What lies in `folder`.

    Raises:
        ArtifactError: nothing that could be exported.
    """
    if merge.is_checkpoint(folder):
        return "verl"
    if (folder / ADAPTER).is_file():
        return "adapter"
    if (folder / CONFIG).is_file():
        return "model"
    what = f"this is no checkpoint: neither verl's shards nor {ADAPTER} nor {CONFIG} are in it"
    raise ArtifactError(what, where=str(folder))


def _steps(training: Path) -> dict[int, Path]:
    """The whole checkpoints of a training by step, of either trainer."""
    of_verl = saved.Saved(training, Goal("", lower=False), None)
    of_trl = {each.step: each.path for each in found(training / CHECKPOINTS)}
    return of_trl | {step: of_verl.path(step) for step in of_verl.steps()}


def _best(training: Path) -> int | None:
    place = training / CHECKPOINTS / BEST
    return int(read_json(place)["step"]) if place.is_file() else None


def _step(folder: Path) -> int | None:
    for prefix in (PREFIX, saved.PREFIX):
        if folder.name.startswith(prefix) and (number := folder.name.removeprefix(prefix)).isdecimal():
            return int(number)
    return None


def _training(folder: Path) -> Path | None:
    """The artifact of ours that a folder of a checkpoint lies in."""
    above = folder.resolve().parents
    near = above[1] if len(above) > 1 and above[0].name == CHECKPOINTS else above[0]
    return near if any((near / mark).is_file() for mark in (MANIFEST, CLAIM)) else None
