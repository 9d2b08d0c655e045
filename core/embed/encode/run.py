"""Encode texts, shard by shard."""

import logging
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

import torch

from core import artifact, memory, progress
from core.artifact import Work
from core.artifact.files import read_json
from core.embed.encode import texts
from core.embed.encode.recipe import Recipe
from core.embed.encode.shards import Shards
from core.embed.encode.texts import Text
from core.errors import ContractError
from core.memory import Knob
from core.retrieval.encoder import Encoder, open_encoder
from core.retrieval.spec import Dense

VECTORS, IDS, CONTRACT = "vectors.npy", "ids.txt", "contract.json"
_SHARDS = "shards"

log = logging.getLogger(__name__)


def run(recipe: Recipe, work: Work) -> None:
    """Texts -> unit vectors in their order; goes on after the last whole shard of a run that was stopped.

    Raises:
        DataError: a bad row, or no row at all.
        ContractError: the model is not the one that the unfinished work was begun with.
        OutOfMemory: with the fields that need less.
    """
    count = sum(1 for _ in texts.read(recipe))  # a bad row is found before the first hour of work, not after the last
    encoder = _open(recipe)
    _hold_contract(encoder, recipe, work.path / CONTRACT)
    shards = Shards(work.path / _SHARDS)
    with memory.explained(_knobs(recipe)), encoder.on(_devices(recipe)):
        num_shards = _encode(encoder, recipe, count, shards, work.path / IDS)
    shards.join(num_shards, count, encoder.contract.dimension, work.path / VECTORS)
    shards.remove()
    work.stats |= {"texts": count, "dimension": encoder.contract.dimension, "kind": recipe.kind}


def _open(recipe: Recipe) -> Encoder:
    options = {"batch_size": recipe.batch_size, "precision": recipe.precision}
    spec = {"type": "dense", "model": recipe.model, "trust_remote_code": recipe.trust_remote_code, **options}
    return open_encoder(Dense.model_validate(spec))


def _hold_contract(encoder: Encoder, recipe: Recipe, place: Path) -> None:
    """Write down what decides the vectors; what is there already must be the same."""
    said = {**encoder.contract.as_dict(), "kind": recipe.kind}
    known = read_json(place) if place.exists() else said
    if known != said:
        raise ContractError(
            "the model is not the one that this was begun with", where=str(place), hint="start over with --force"
        )
    artifact.write_json(place, said)


def _encode(encoder: Encoder, recipe: Recipe, count: int, shards: Shards, ids: Path) -> int:
    """Make the shards that are not there yet, and the list of ids; the number of shards."""
    encode = encoder.documents if recipe.kind == "documents" else encoder.queries
    number = -1
    with progress.bar("embed: encode", count) as bar, ids.open("w", encoding="utf-8") as listed:
        for number, part in enumerate(_parts(texts.read(recipe), recipe.shard_size)):
            listed.writelines(f"{text.id}\n" for text in part)
            if not shards.has(number):
                shards.add(number, encode([text.text for text in part]))
            bar.advance(len(part))
    return number + 1


def _parts(items: Iterator[Text], size: int) -> Iterator[Sequence[Text]]:
    while part := list(islice(items, size)):
        yield part


def _devices(recipe: Recipe) -> Sequence[str]:
    """Those of the recipe; else all GPUs where there are several, and none named where the model lies well already."""
    if recipe.devices is not None:
        return recipe.devices
    found = torch.cuda.device_count()
    return [f"cuda:{number}" for number in range(found)] if found > 1 else []


def _knobs(recipe: Recipe) -> list[Knob]:
    return [
        Knob.halved("batch_size", recipe.batch_size, "texts encoded at a time"),
        Knob.halved("shard_size", recipe.shard_size, "texts and vectors held at a time", least=256),
    ]
