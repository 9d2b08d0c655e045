"""One training by TRL in its process, from its start or its newest checkpoint to its end."""

import contextlib
import logging
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import torch
import transformers
from transformers import TrainerState, set_seed
from transformers.trainer import TRAINER_STATE_NAME

from core import memory
from core.artifact.files import LOGS
from core.memory import Knob
from core.process import Command
from core.retrieval.checkpoints import Checkpoint
from core.tracking import Tracker, open_tracker
from core.tracking.record import read
from core.tracking.tracker import METRICS
from core.tuning.models.whole import conclude
from core.tuning.spec import Model
from core.tuning.trained import Trained, trl_of
from core.tuning.trl.follow import Follow, Plan, Values, renamed
from core.tuning.trl.store import Goal, Store
from core.tuning.watch.tripped import Watch, seen

log = logging.getLogger(__name__)

LOG = "trainer.log"
"""What the process of the training says, in logs/."""


def command(module: str, folder: Path, recipe: Trained) -> Command:
    """The process: our interpreter, told how many threads it has before it loads anything, and to ask no hub twice."""
    threads = trl_of(recipe).threads
    env = {"TOKENIZERS_PARALLELISM": "false"}
    if threads:
        env["OMP_NUM_THREADS"] = str(threads)
    return Command((sys.executable, "-m", module, str(folder)), env=env)


@contextlib.contextmanager
def opened(recipe: Trained, folder: Path, shown: Mapping[str, Any], knobs: Sequence[Knob]) -> Iterator[Tracker]:
    """The tracker of a training whose process is made ready: threads, seed, no bars on its log.

    `shown` is the recipe as boards show it.

    Raises:
        OutOfMemory: of the block, with what to make smaller.
        Missing: a tracker's package or service is not there.
    """
    if threads := trl_of(recipe).threads:
        torch.set_num_threads(threads)
    transformers.utils.logging.disable_progress_bar()  # type: ignore[no-untyped-call]  # of loading and writing
    set_seed(recipe.seed)
    with memory.explained(knobs), open_tracker(recipe.tracking, folder / LOGS, shown) as tracker:
        yield tracker


def train(
    trainer: Callable[[Follow], Any],
    store: Store,
    newest: Checkpoint | None,
    plan: Plan,
    tracker: Tracker,
    watch: Watch,
    folder: Path,
    *,
    rename: Callable[[Values], dict[str, float]] = renamed,
    facts: Mapping[str, Any] = MappingProxyType({}),
) -> None:
    """Train to the end, from `newest` where there is one, and say in the store that it is over, `facts` beside it.

    `trainer` makes the trainer around the callback that it is given; its `output_dir` is `store.unfinished`.

    Raises:
        DrError: a watch stopped the training before there was a checkpoint.
    """
    follow = Follow(plan, store, tracker, watch, rename=rename)
    step = _last(newest, plan)
    rows = read(folder / LOGS / METRICS) if newest else []
    earlier = seen(watch, [row for row in rows if newest and row.step <= newest.step])
    if step is None:
        made = trainer(follow)
        made.train(resume_from_checkpoint=str(newest.path) if newest else None)
        step = int(made.state.global_step) // plan.updates
    else:
        follow.tripped += watch.end(step)
    if follow.tripped and not store.has_any():
        raise follow.tripped[0].error()
    store.end({**facts, "steps": step, "warnings": [str(word) for word in (*earlier, *follow.tripped)]})


def _last(newest: Checkpoint | None, plan: Plan) -> int | None:
    """The last step of a training that was killed before it could say that it is over; None where steps are left.

    The trainer would take a step first and ask then.
    """
    if newest is None:
        return None
    state = TrainerState.load_from_json(str(newest.path / TRAINER_STATE_NAME))
    step = int(state.global_step) // plan.updates
    return step if step >= plan.steps else None


def concluded(
    store: Store, goal: Goal, spec: Model, base: str, folder: Path, prompts: Mapping[str, Any] | None
) -> dict[str, Any]:
    """Make the artifact's model of the best checkpoint of a training that is over; facts for the manifest: steps, best
    checkpoint, warnings."""
    best, over = store.best(), store.ended()
    assert over is not None  # noqa: S101 - a training that does not come to its end raises
    conclude(best.path, spec, base, folder, prompts)
    store.slim()
    log.info("the model is that of step %d (%s)", best.step, best.told or "the last one: nothing was held out")
    partial, whole = f"{folder.name}/", f"{folder.name.removesuffix('.partial')}/"
    warned = [word.replace(partial, whole) for word in over["warnings"]]  # the folder is renamed when it is whole
    for word in warned:  # until now they stood in the log of the trainer's process alone
        log.warning("%s", word)
    return {**over, "warnings": warned, "best": {"step": best.step, "value": best.measured.get(goal.by)}}
