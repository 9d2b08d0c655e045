"""`dr embed train --evaluate`: the checkpoints of a training measured anew. Nothing is trained, nothing is written.

A checkpoint is loaded as anyone would load it, so a save that lost something shows in its numbers.
"""

import logging
import math
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from sentence_transformers import SentenceTransformer
from transformers.utils.logging import disable_progress_bar

from core import progress
from core.artifact import CLAIM, MANIFEST
from core.artifact.ancestry import Ancestry
from core.artifact.files import beside, read_json
from core.embed.fit import launch
from core.embed.fit.checkpoints import choose
from core.embed.fit.examine import VAL_LOSS, Examiner
from core.embed.fit.plan import plan
from core.embed.losses import teacher
from core.embed.losses.spec import Distilled
from core.embed.models.spec import Pretrained
from core.embed.proof import graded
from core.embed.proof.vectors import measuring
from core.embed.recipe import Recipe
from core.embed.rows.read import read
from core.embed.rows.row import Material
from core.errors import ArtifactError, UsageError
from core.retrieval.checkpoints import CHECKPOINTS, Checkpoint, cost, found

SAME = 0.02
"""Share by which a loss may differ from what it was in the training: bfloat16 and other machines compute otherwise."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Measured:
    """One checkpoint."""

    step: int
    path: Path
    scores: Mapping[str, float]
    """Measure -> score: `val_loss`; nDCG@10 of the held-out queries, or all measures of graded pairs."""

    @property
    def name(self) -> str:
        return self.path.name


@dataclass(frozen=True)
class Sweep:
    """All that were measured, by step."""

    checkpoints: Sequence[Measured]
    best: Mapping[str, str]
    """Measure -> name of the checkpoint that is best by it; of equal ones the first."""
    select_by: str
    """The measure that the recipe chooses by."""

    def as_dict(self) -> dict[str, Any]:
        rows = [{"step": each.step, "path": str(each.path), **each.scores} for each in self.checkpoints]
        return {"checkpoints": rows, "best": dict(self.best), "select_by": self.select_by}


def run(recipe: Recipe, checkpoint: Path | None = None) -> Sweep:
    """Measure every checkpoint of the recipe's artifact, finished or not, or the one that is named by path or name.

    Warns where two measures have different best ones, and where a loss is not what it was in the training.

    Raises:
        ArtifactError: no training, no checkpoint, a training of another recipe, or a checkpoint that cannot be loaded.
        UsageError: `checkpoint` is none of this training.
    """
    disable_progress_bar()  # type: ignore[no-untyped-call]  # of loading files; ours is of the checkpoints
    folder = _place(recipe)
    chosen = _chosen(folder / CHECKPOINTS, checkpoint)
    _check_same(recipe, folder)
    measure = _Measure(recipe, folder)
    anew = [replace(each, measured=measure(each)) for each in progress.track(chosen, "embed: measure checkpoints")]
    for now, then in zip(anew, chosen, strict=True):
        _compare(now, then)
    names = list(dict.fromkeys(name for each in anew for name in each.measured))
    best_by = {name: min(anew, key=lambda each: (cost(each.measured, name), each.step)).path.name for name in names}
    if len(anew) > 1:
        choose(anew, recipe.checkpoints.select_by)  # says so where measures disagree
    return Sweep(
        [Measured(each.step, each.path, each.measured) for each in anew], best_by, recipe.checkpoints.select_by
    )


class _Measure:
    """Checkpoint -> its scores, all on the same held-out data."""

    def __init__(self, recipe: Recipe, folder: Path) -> None:
        self._recipe = recipe
        material = _taught(read(recipe), recipe, folder)
        # With an exam the training chooses by that; without one it is all measures of graded pairs.
        self._graded = graded.Prepared(material.validation) if material.exam is None else None
        batch_size = plan(recipe, len(material.training), launch.processes(recipe)).batch_size
        self._examiner = Examiner(recipe.loss, replace(material, graded=()), batch_size=batch_size)

    def __call__(self, checkpoint: Checkpoint) -> dict[str, float]:
        model = _load(checkpoint.path, self._recipe)
        scores = self._examiner.measured(model)
        if self._graded is None:
            return scores
        with measuring(model) as encoder:
            return {**scores, **self._graded.scores(encoder).means}


def _taught(material: Material, recipe: Recipe, folder: Path) -> Material:
    """With a teacher's scores of what is held out; what the training left of them is read, and a copy goes on."""
    if not isinstance(recipe.loss, Distilled) or recipe.loss.teacher is None:
        return material
    with tempfile.TemporaryDirectory(prefix="dr-embed-") as place:
        if (folder / teacher.VALIDATION).exists():
            shutil.copy(folder / teacher.VALIDATION, place)
        validation = teacher.scored(material.validation, recipe.loss.teacher, Path(place), teacher.VALIDATION)
    return replace(material, validation=validation)


def _place(recipe: Recipe) -> Path:
    """Where the training lies."""
    for folder, fact in ((recipe.out, MANIFEST), (beside(recipe.out, "partial"), CLAIM)):
        if (folder / fact).exists():
            return folder
    hint = "run `dr embed train` with this recipe first"
    raise ArtifactError("there is no training to evaluate", where=str(recipe.out), hint=hint)


def _chosen(folder: Path, wanted: Path | None) -> list[Checkpoint]:
    whole = found(folder)
    if not whole:
        hint = "the first one comes after `checkpoints.save_every` steps, or an epoch"
        raise ArtifactError("this training has no checkpoint yet", where=str(folder), hint=hint)
    if wanted is None:
        return whole
    places = {wanted.resolve(), (folder / wanted).resolve()}
    chosen = [each for each in whole if each.path.resolve() in places]
    if not chosen:
        state = "is no whole checkpoint of this training" if wanted.exists() else "does not exist"
        names = ", ".join(each.path.name for each in whole)
        raise UsageError(f"`{wanted}` {state}", where=str(folder), hint=f"it has {names}")
    return chosen


def _check_same(recipe: Recipe, folder: Path) -> None:
    """Refuses another recipe than the one that was trained: what it holds out may have been trained on.

    `proof` may differ: other queries can be asked.
    """
    known = read_json(folder / (MANIFEST if (folder / MANIFEST).exists() else CLAIM))
    now = Ancestry.of(recipe)
    asked = Ancestry(*(_without_proof(part) for part in (now.identity, now.inputs, now.sources)))
    was = {name: _without_proof(known[name]) for name in ("identity", "inputs", "sources")}
    if changed := asked.differences(was):
        raise ArtifactError(
            f"these checkpoints are of another recipe ({'; '.join(changed)})",
            where=str(folder),
            hint="what this one holds out may have been trained on: give the recipe and overrides of the training",
        )


def _without_proof(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if not name.startswith("proof.")}


def _load(path: Path, recipe: Recipe) -> SentenceTransformer:
    device = None if recipe.machine.device == "auto" else recipe.machine.device
    code = isinstance(recipe.model, Pretrained) and recipe.model.trust_remote_code
    try:
        return SentenceTransformer(str(path), device=device, trust_remote_code=code)
    except (OSError, ValueError, SafetensorError) as error:
        said = (str(error).splitlines() or [type(error).__name__])[0]
        raise ArtifactError(f"the checkpoint cannot be loaded: {said}", where=str(path)) from None


def _compare(now: Checkpoint, then: Checkpoint) -> None:
    """Warns where a checkpoint is not what was measured before it was saved."""
    loss, was = now.measured.get(VAL_LOSS), then.measured.get(VAL_LOSS)
    if loss is not None and was is not None and not math.isclose(loss, was, rel_tol=SAME, abs_tol=1e-3):
        log.warning(
            "%s has val_loss %.4f now, and had %.4f in the training: the data or the machine differ, or the save lost "
            "something",
            now.path.name,
            loss,
            was,
        )
