"""Corpora with their queries and judgements as one: ids are `name/id`, so that nothing meets by chance."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from core.data.mix import shares
from core.data.mix.recipe import MixedSet, Recipe
from core.errors import UsageError
from core.formats import beir
from core.types import Document, Query

TRAIN = "train"


def mix(recipe: Recipe, folder: Path) -> dict[str, Any]:
    """Write the mixture in BEIR form; facts about it.

    Every document is in it. Of the queries judged in `train` each set gives its share; the other splits go in whole.

    Raises:
        UsageError: a set's name cannot stand in an id.
        DataError: a set cannot be read.
    """
    for part in recipe.sets:
        if part.title().split() != [part.title()]:
            what = f"the set's name {part.title()!r} goes before its ids, which hold no white space"
            raise UsageError(what, where=str(part.path), hint="give the set a `name`")
    judged = [_judged(part) for part in recipe.sets]
    sizes = [len(of_set.get(TRAIN, {})) for of_set in judged]
    used = [place for place, size in enumerate(sizes) if size]
    taken = dict.fromkeys(range(len(sizes)), 0)
    if used:
        weights = [recipe.sets[place].weight for place in used]
        wanted = shares.counts([sizes[place] for place in used], weights, recipe.sampling_strategy, recipe.size)
        shares.tell_of_none((recipe.sets[place].title() for place in used), wanted)
        taken |= dict(zip(used, wanted, strict=True))
    for place, part in enumerate(recipe.sets):
        judged[place] = _drawn(recipe, part, judged[place], taken[place])
    splits = dict.fromkeys(name for of_set in judged for name in of_set)
    documents = beir.write_documents(folder, _documents(recipe))
    asked = [{query for of_split in of_set.values() for query in of_split} for of_set in judged]
    queries = beir.write_queries(folder, _queries(recipe, asked))
    for split in splits:
        beir.write_qrels(folder, split, _together(recipe, judged, split))
    return {
        "documents": documents,
        "queries": queries,
        "judged_queries": {split: sum(len(of_set.get(split, {})) for of_set in judged) for split in splits},
        "sets": {part.title(): {"train": taken[place]} for place, part in enumerate(recipe.sets)},
    }


Judged = dict[str, dict[str, dict[str, int]]]
"""Split -> query id -> document id -> grade."""


def _judged(part: MixedSet) -> Judged:
    return {split: beir.read_qrels(part.path, split) for split in beir.splits(part.path)}


def _drawn(recipe: Recipe, part: MixedSet, judged: Judged, wanted: int) -> Judged:
    """The judgements of a set with so many of its training queries."""
    if TRAIN not in judged:
        return judged
    there = list(judged[TRAIN])
    seed = f"{recipe.seed}/{part.title()}"
    # A query is in a corpus once: repeating one would only be the same judgement again.
    chosen = {there[place] for place in shares.draw(len(there), wanted, seed, repeat=False, name=part.title())}
    return judged | {TRAIN: {query: grades for query, grades in judged[TRAIN].items() if query in chosen}}


def _documents(recipe: Recipe) -> Iterator[Document]:
    for part in recipe.sets:
        for document in beir.read_documents(part.path):
            metadata = dict(document.metadata)
            if "chunk_of" in metadata:
                metadata["chunk_of"] = f"{part.title()}/{metadata['chunk_of']}"
            yield replace(document, id=f"{part.title()}/{document.id}", metadata=metadata)


def _queries(recipe: Recipe, asked: list[set[str]]) -> Iterator[Query]:
    for part, wanted in zip(recipe.sets, asked, strict=True):
        for query in beir.read_queries(part.path) if wanted else ():
            if query.id in wanted:
                yield replace(query, id=f"{part.title()}/{query.id}")


def _together(recipe: Recipe, judged: list[Judged], split: str) -> Mapping[str, Mapping[str, int]]:
    return {
        f"{part.title()}/{query}": {f"{part.title()}/{document}": grade for document, grade in grades.items()}
        for part, of_set in zip(recipe.sets, judged, strict=True)
        for query, grades in of_set.get(split, {}).items()
    }
