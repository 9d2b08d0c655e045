"""Conversations as tokens: what the model reads, and what of it it learns to write."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pyarrow.parquet as pq
from datasets import Dataset
from datasets.table import InMemoryTable
from jinja2 import TemplateError

from core import progress
from core.errors import DataError, RecipeError

IGNORED = -100
"""Label of a token that is read and not learned."""

BATCH = 512
_SCHEMA = pa.schema([("input_ids", pa.list_(pa.int32())), ("labels", pa.list_(pa.int32()))])

Messages = Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Example:
    """One sequence; `labels` are its tokens where they are learned, else `IGNORED`."""

    tokens: list[int]
    labels: list[int]

    @property
    def learned(self) -> int:
        """How many tokens are learned; the first one is never asked for."""
        return sum(label != IGNORED for label in self.labels[1:])


@dataclass
class Counts:
    """What became of the rows of a file."""

    rows: int = 0
    examples: int = 0
    truncated: int = 0
    left_out: int = 0
    """Examples whose answers begin after `max_length` tokens."""
    longest: int = 0
    tokens: int = 0
    learned: int = 0

    def as_dict(self) -> dict[str, int]:
        """For the manifest."""
        names = ("rows", "examples", "truncated", "left_out", "longest", "tokens", "learned")
        return {name: getattr(self, name) for name in names}


def examples(tokenizer: Any, messages: Messages) -> list[Example]:
    """The conversation with all of its answers learned, each with the token that ends it.

    Where the chat template renders a turn otherwise once others follow (Qwen3 drops earlier thoughts), there is one
    example for each answer, as the model will see it when it writes it.
    """
    answers = [place for place, message in enumerate(messages) if message["role"] == "assistant"]
    spans = []
    for place in answers:
        asked = _rendered(tokenizer, messages[:place], answering=True)
        whole = _rendered(tokenizer, messages[: place + 1], answering=False)
        start = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(asked, whole, strict=False)))
        spans.append((start, _end(whole, start, tokenizer.eos_token_id), whole))
    last = spans[-1][2]
    if all(whole == last[: len(whole)] for _, _, whole in spans):
        return [_example(last, [(start, end) for start, end, _ in spans])]
    return [_example(whole, [(start, end)]) for start, end, whole in spans]


def read(path: Path) -> Iterator[tuple[str, Messages]]:
    """Place and messages of every row."""
    number = 0
    for batch in pq.ParquetFile(path).iter_batches(BATCH, columns=["messages"]):
        for row in batch.to_pylist():
            number += 1
            yield f"{path}: row {number}", row["messages"]


def dataset(
    path: Path, tokenizer: Any, *, max_length: int, truncation: Literal["right", "error"], readable: int | None
) -> tuple[Dataset, Counts]:
    """The rows of a parquet file as TRL takes them: columns `input_ids` and `labels`, of `max_length` at most.

    `readable`: tokens that the model can read.

    Raises:
        DataError: a conversation is too long under `truncation: error`, the template cannot render it, or none is left.
        RecipeError: a conversation within `max_length` is longer than the model can read.
    """
    counts, batches, held = Counts(), list[pa.RecordBatch](), list[Example]()
    for where, messages in progress.track(read(path), "tokenise"):
        counts.rows += 1
        for example in _told(tokenizer, messages, where):
            if kept := _cut(example, max_length, truncation, where, counts):
                held.append(kept)
        if len(held) >= BATCH:
            batches.append(_batch(held))
            held = []
    batches.append(_batch(held))
    if not counts.examples:
        hint = "raise `max_length`: every answer begins after it" if counts.left_out else None
        raise DataError("no conversation is left to learn from", where=str(path), hint=hint)
    if readable is not None and counts.longest > readable:
        what = f"a conversation has {counts.longest} tokens, and the model can read {readable}"
        raise RecipeError(what, where="max_length", hint=f"max_length={readable} cuts it")
    return Dataset(InMemoryTable(pa.Table.from_batches(batches, _SCHEMA))), counts


def _cut(
    example: Example, max_length: int, truncation: Literal["right", "error"], where: str, counts: Counts
) -> Example | None:
    """The example at its allowed length, counted; None where nothing of it is left to learn."""
    length = len(example.tokens)
    if length > max_length:
        if truncation == "error":
            hint = f"max_length={length}, or `truncation: right` cuts and counts such rows"
            raise DataError(
                f"the conversation has {length} tokens, `max_length` is {max_length}", where=where, hint=hint
            )
        counts.truncated += 1
        example = Example(example.tokens[:max_length], example.labels[:max_length])
    if not example.learned:
        counts.left_out += 1
        return None
    counts.examples += 1
    counts.longest = max(counts.longest, len(example.tokens))
    counts.tokens += len(example.tokens)
    counts.learned += example.learned
    return example


def _told(tokenizer: Any, messages: Messages, where: str) -> list[Example]:
    try:
        return examples(tokenizer, messages)
    except TemplateError as error:
        raise DataError(f"the chat template cannot render this conversation: {error}", where=where) from None


def _rendered(tokenizer: Any, messages: Messages, *, answering: bool) -> list[int]:
    """Tokens of the turns; `answering`: with the head of the answer that is due."""
    made = tokenizer.apply_chat_template(
        list(messages), add_generation_prompt=answering, tokenize=True, return_dict=True
    )
    return list(made["input_ids"])


def _end(tokens: Sequence[int], start: int, eos: int | None) -> int:
    """After the last token that ends an answer; templates put a line end behind it, which nobody writes."""
    ends = [place for place in range(start, len(tokens)) if tokens[place] == eos]
    return ends[-1] + 1 if ends else len(tokens)


def _example(tokens: list[int], spans: Sequence[tuple[int, int]]) -> Example:
    labels = [IGNORED] * len(tokens)
    for start, end in spans:
        labels[start:end] = tokens[start:end]
    return Example(tokens, labels)


def _batch(some: Sequence[Example]) -> pa.RecordBatch:
    columns = ([example.tokens for example in some], [example.labels for example in some])
    return pa.record_batch([pa.array(column, pa.list_(pa.int32())) for column in columns], schema=_SCHEMA)
