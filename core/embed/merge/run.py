"""Add a trained adapter to the weights of its base, and show that nothing else changed."""

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.modules import Transformer
from transformers import AutoConfig, AutoModel
from transformers.utils.logging import disable_progress_bar

from core import artifact, memory
from core.artifact import Work
from core.embed.merge import card, probe
from core.embed.merge.check import check
from core.embed.merge.recipe import Recipe
from core.embed.models import adapters, saved
from core.embed.models.checks import base_of
from core.embed.models.source import Source, fetch_weights
from core.errors import UsageError
from core.lazy import require
from core.retrieval.adapter import CONFIG
from core.retrieval.checkpoints import CHECKPOINTS, MODEL
from core.retrieval.encoder import Encoder, Vectors
from core.retrieval.spec import Dense

AGREEMENT = "merge.json"
TRAINING_REPORT = "report.json"
CONTRACT = "contract.json"
BATCH_SIZE = 16


def run(recipe: Recipe, work: Work) -> None:
    """Adapter and base -> one complete model.

    Raises:
        UsageError: the training made no adapter, or has no such checkpoint.
        ContractError: the base is not the adapter's, or the result is as the base or not as the adapter.
        Missing: the base cannot be reached, or peft is not installed.
    """
    disable_progress_bar()  # type: ignore[no-untyped-call]  # of loading and writing files
    training = artifact.read(recipe.adapter)
    trusted = bool(training["recipe"]["model"].get("trust_remote_code"))
    source = _source(recipe)
    texts = probe.texts(recipe.adapter, recipe.probes)
    place = work.path / MODEL
    with memory.explained([]):
        adapter_NH, base_NH = _merge(source, place, texts, recipe.precision, trusted=trusted)
        encoder = _encoder(_load(place, trusted=trusted))
        merged_NH = _vectors(encoder, texts)
    agreement = check(adapter_NH, base_NH, merged_NH, [*texts, *texts])
    adapter = source.transformer.json(CONFIG)
    artifact.write_json(place / CONTRACT, encoder.contract.as_dict())
    card.write(place, training, Source(recipe.adapter, "").json(TRAINING_REPORT) or {}, encoder.contract, adapter)
    facts = {"base": adapter["base_model_name_or_path"], "checkpoint": recipe.checkpoint, **agreement}
    artifact.write_json(work.path / AGREEMENT, facts)
    work.stats |= facts


def _source(recipe: Recipe) -> Source:
    """The folder with the adapter.

    Raises:
        UsageError: there is no such checkpoint, or the model in it is whole already.
    """
    folder = recipe.adapter / MODEL
    if recipe.checkpoint is not None:
        folder = recipe.adapter / CHECKPOINTS / recipe.checkpoint
        there = sorted(path.name for path in folder.parent.glob("*") if path.is_dir())
        if recipe.checkpoint not in there:
            hint = f"there are {', '.join(there)}" if there else "leave out `checkpoint`"
            raise UsageError(f"there is no checkpoint `{recipe.checkpoint}`", where=str(folder.parent), hint=hint)
    source = Source(folder.resolve(), str(folder.resolve()))
    if source.transformer.json(CONFIG) is None:
        raise UsageError(
            "this training made no adapter: its model is whole already",
            where=str(folder),
            hint=f"name the training itself wherever a model is asked for: {recipe.adapter}",
        )
    return source


def _merge(source: Source, place: Path, texts: list[str], precision: str, *, trusted: bool) -> tuple[Vectors, Vectors]:
    """Save the merged model in `place`; the vectors of the adapter and of its base, two rows a text.

    Raises:
        Missing, ContractError: see `run`.
    """
    base = _base(source, trusted=trusted)
    model = _load(source.folder, trusted=trusted)
    adapter_NH = _vectors(_encoder(model), texts)
    model.disable_adapters()
    base_NH = _vectors(_encoder(model), texts)
    part = next(module for module in model.modules() if isinstance(module, Transformer))
    kind: Any = type(part.model)
    part.model = None
    inner = kind.from_pretrained(base.folder, dtype=torch.float32)
    with warnings.catch_warnings():
        # peft asks transformers by names that it deprecates.
        warnings.simplefilter("ignore", FutureWarning)
        adapted = require("peft").PeftModel.from_pretrained(inner, source.transformer.folder)
        part.model = adapted.merge_and_unload().to(torch.bfloat16 if precision == "bf16" else torch.float32)
    saved.save(model, place)
    return adapter_NH, base_NH


def _base(source: Source, *, trusted: bool) -> Source:
    """All files of the adapter's base.

    Raises:
        Missing: it cannot be reached.
        ContractError: it is not the one that the adapter was trained on.
    """
    base = base_of(source, trusted=trusted)
    fetch_weights(base)
    library: Any = AutoModel
    with torch.device("meta"):
        skeleton = library.from_config(AutoConfig.from_pretrained(base.folder, trust_remote_code=trusted))
    adapters.check_base(source.transformer, base, skeleton)
    return base


def _load(folder: Path, *, trusted: bool) -> SentenceTransformer:
    """The model on the CPU in 32 bits, where sums round least."""
    return SentenceTransformer(
        str(folder), device="cpu", trust_remote_code=trusted, model_kwargs={"dtype": torch.float32}
    )


def _encoder(model: SentenceTransformer) -> Encoder:
    return Encoder(model, Dense(type="dense", model="", batch_size=BATCH_SIZE))


def _vectors(encoder: Encoder, texts: list[str]) -> Vectors:
    """[2 × len(texts), dimension]: of all as queries, then of all as documents."""
    return np.concatenate([encoder.queries(texts), encoder.documents(texts)])
