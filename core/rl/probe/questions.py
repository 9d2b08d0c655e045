"""What is asked: each query with its prompt and its ground truth."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from core import artifact
from core.errors import DataError, UsageError
from core.formats import arrow, beir
from core.llm.chat import Message
from core.llm.rewriting import template as templates
from core.reward import trials
from core.reward.sample import Sample
from core.rl.probe.recipe import OfCorpus, OfRows, Recipe

RL = "rl"
"""Folder of the rows for RL in an artifact of `dr data rows`."""


@dataclass(frozen=True, slots=True)
class Question:
    """A query, as the model is asked it."""

    id: str
    messages: tuple[Message, ...]
    sample: Sample
    """Query and ground truth; the response is empty."""


@dataclass(frozen=True)
class Questions:
    """Those that are asked, and of how many they are."""

    asked: Sequence[Question]
    rows: int
    """Rows that a training would read."""


def read(recipe: Recipe) -> Questions:
    """The queries of the recipe, in their order.

    Raises:
        UsageError: there is no such split.
        DataError: there is no query, or a bad row.
    """
    source = recipe.queries
    found = _of_rows(source) if isinstance(source, OfRows) else _of_corpus(source)
    if not found:
        raise DataError("there is no query", where=str(source.rows if isinstance(source, OfRows) else source.data))
    if recipe.max_queries is None or len(found) <= recipe.max_queries:
        return Questions(found, len(found))
    drawn = sorted(random.Random(recipe.seed).sample(range(len(found)), recipe.max_queries))  # noqa: S311 - a draw
    return Questions([found[number] for number in drawn], len(found))


def prompts(source: OfRows | OfCorpus) -> dict[str, Any] | None:
    """Name and digest of the template that the queries are asked with; None: nobody knows."""
    if isinstance(source, OfCorpus):
        return templates.load(source.prompts).facts()
    facts: dict[str, Any] | None = artifact.read(source.rows, ("rows",))["stats"].get("prompts")
    return facts


def _of_rows(source: OfRows) -> list[Question]:
    path = source.rows / RL / f"{source.split}.parquet"
    if not path.is_file():
        there = ", ".join(f"`{file.stem}`" for file in sorted((source.rows / RL).glob("*.parquet")))
        hint = (
            f"there are {there}" if there else "the artifact holds no RL rows: `targets: [rl]` in its recipe makes them"
        )
        raise UsageError(f"there is no split `{source.split}` of RL rows", where=str(path), hint=hint)
    # Read twice, side by side: one reader knows ground truths in all their forms, the other gives the prompt.
    pairs = zip(trials.read(path, response=""), arrow.parquet(path), strict=True)
    return [
        Question(str(number), _messages(row.fields["prompt"]), trial.sample)
        for number, (trial, row) in enumerate(pairs)
    ]


def _messages(prompt: object) -> tuple[Message, ...]:
    turns = prompt if isinstance(prompt, list) else [{"role": "user", "content": str(prompt)}]
    return tuple(Message(turn["role"], turn["content"]) for turn in turns)


def _of_corpus(source: OfCorpus) -> list[Question]:
    template = templates.load(source.prompts)
    judged = beir.read_qrels(source.data, source.split)
    found = []
    for query in beir.read_queries(source.data):
        if query.id in judged:
            where = f"{source.data}: query {query.id}"
            # Told as rows of `dr data rows` do: by it nDCG chooses its depth.
            sample = Sample(query.text, "", judged[query.id], extra={"split": source.split}, where=where)
            found.append(Question(query.id, template.request(query.text, 0).messages, sample))
    return found
