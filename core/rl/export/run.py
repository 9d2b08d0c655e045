"""Checkpoint -> Hugging Face directory, loaded and asked once."""

import logging
import shutil
import warnings
from pathlib import Path
from typing import Any

import torch
from transformers.utils.logging import disable_progress_bar, set_verbosity_error

from core.artifact import Work
from core.artifact.files import fsync
from core.errors import ContractError, DrError, UsageError
from core.llm.checkpoint import MODEL, resolve
from core.llm.local.generate import Prompt, generate
from core.llm.local.loading import TOKENIZER_FILES, UNREADABLE, Loaded, load
from core.llm.local.protocol import Turn, Wish, rendered
from core.llm.local.sampling import Sampling
from core.rl.export import find
from core.rl.export.find import Found
from core.rl.export.recipe import Recipe
from core.tuning.models.whole import whole
from core.tuning.verl.merge import merge

MERGED = "merged"
"""Folder for what verl's merger makes of shards, until it is whole."""
WEIGHTS = ("*.safetensors", "*.safetensors.index.json", "*.bin", "*.bin.index.json")

log = logging.getLogger(__name__)


def run(recipe: Recipe, work: Work) -> None:
    """Fill `work` with the model.

    Raises:
        UsageError: there is no such checkpoint, it is broken, or has no tokenizer or chat template.
        ContractError: it is the checkpoint of another model than the base, or holds no numbers.
        Missing: verl's interpreter is not there.
        ProcessFailed: verl's merger failed.
    """
    disable_progress_bar()  # type: ignore[no-untyped-call]  # of loading and writing files
    set_verbosity_error()  # type: ignore[no-untyped-call]  # weights that are not there are told by our sentence
    found, place = find.find(recipe.checkpoint, recipe.step), work.path / MODEL
    prompts = find.prompts(found)
    folder = found.folder if found.kind != "verl" else _merged(recipe, found, work)
    base = _base(recipe, found, folder)
    _whole(folder, base, place, prompts)
    shutil.rmtree(work.path / MERGED, ignore_errors=True)
    loaded = load(str(place), dtype=recipe.dtype)
    _check_numbers(loaded, place)
    if recipe.dtype != "auto":
        _write_weights(loaded, place)
    asked = _ask(loaded, recipe)
    work.stats |= {
        "checkpoint": {"folder": str(found.folder), "kind": found.kind, "step": found.step},
        "base": base if base != str(folder) else None,
        "prompts": prompts,
        "parameters": loaded.model.num_parameters(),
        "max_tokens": loaded.max_tokens,
        "asked": asked,
    }
    log.info("asked `%s` it says `%s`", recipe.question, asked["answer"])


def _merged(recipe: Recipe, found: Found, work: Work) -> Path:
    place = work.path / MERGED
    return merge(found.folder, place, recipe.python.absolute(), work.logs / "merge.log")


def _base(recipe: Recipe, found: Found, folder: Path) -> str:
    """The model that an adapter goes into; of a whole model, where its tokenizer is.

    Raises:
        UsageError: nobody says, or what is said is not there any more.
    """
    if recipe.base is not None:
        return resolve(recipe.base)
    if (folder / find.ADAPTER).is_file():
        if base := find.base_of_adapter(folder) or find.base(found):
            return base
        what = "the model that this adapter was trained on is not where it was, or nobody says which it is"
        raise UsageError(what, where=str(folder), hint="base=FOLDER names it")
    if any((folder / name).exists() for name in TOKENIZER_FILES):
        return str(folder)
    if base := find.base(found):
        return base
    what = "the checkpoint has no tokenizer: there is no tokenizer.json"
    raise UsageError(what, where=str(folder), hint="base=FOLDER names the model that it was trained from")


def _whole(folder: Path, base: str, place: Path, prompts: dict[str, Any] | None) -> None:
    """Write the model to `place`; a failure of the libraries is a sentence."""
    try:
        with warnings.catch_warnings():
            # peft takes an adapter with fewer layers than the base has, and leaves the others untrained.
            warnings.filterwarnings("error", message="(?s).*missing adapter keys", category=UserWarning)
            whole(folder, base, place, prompts)
    except DrError:
        raise
    except UserWarning as warning:
        told = " ".join(str(warning).split())[:200]
        raise ContractError(f"the adapter does not fit {base}: {told}", where=str(folder)) from None
    except UNREADABLE as error:
        told = " ".join(f"{type(error).__name__}: {error}".split())[:300]
        raise UsageError(f"the checkpoint cannot be read: {told}", where=str(folder)) from None


def _check_numbers(loaded: Loaded, place: Path) -> None:
    """Raises ContractError when a weight is no number: the training had failed."""
    for name, values in loaded.model.named_parameters():
        if not torch.isfinite(values).all():
            what = f"weights are no numbers (`{name}`): the training had gone wrong before this checkpoint"
            raise ContractError(what, where=str(place), hint="step=N takes an earlier one")


def _write_weights(loaded: Loaded, place: Path) -> None:
    """Replace the weights by those of the loaded model, in its number format."""
    for path in [path for pattern in WEIGHTS for path in place.glob(pattern)]:
        path.unlink()
    loaded.model.save_pretrained(place)
    fsync(place)


def _ask(loaded: Loaded, recipe: Recipe) -> dict[str, Any]:
    """What the model says, greedily."""
    wish = Wish(messages=[Turn(role="user", content=recipe.question)])
    tokens = tuple(loaded.tokenizer(rendered(wish, loaded.tokenizer), add_special_tokens=False)["input_ids"])
    room = loaded.max_tokens - len(tokens)
    if room < 1:
        what = f"`question` has {len(tokens)} tokens, the model reads {loaded.max_tokens} with its answer"
        raise UsageError(what, where="question")
    said, *_ = generate(loaded, [Prompt(tokens, min(room, recipe.max_tokens), Sampling(temperature=0))])
    return {
        "question": recipe.question,
        "answer": said.text,
        "tokens": len(said.tokens),
        "finish_reason": said.finish_reason,
    }
