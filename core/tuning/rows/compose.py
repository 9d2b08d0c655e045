"""Rows of several artifacts, mixed by their weights, as the files that a trainer reads.

The same artifacts and seed give the same files, so a resumed training writes them again.
"""

import logging
import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pyarrow.parquet as pq

from core import artifact
from core.errors import DataError
from core.formats import verl
from core.tuning.rows.composed import Composed
from core.tuning.spec import Rows, RowSet

Kind = Literal["sft", "rl"]

TRAIN, HELD_OUT = "train.parquet", "held_out.parquet"
FACTS = ("name", "digest", "boolean")
"""What is kept of the facts of a prompt template."""

log = logging.getLogger(__name__)


def compose(data: Rows, kind: Kind, folder: Path, seed: int) -> Composed:
    """Write `folder`/train.parquet and held_out.parquet, of rows that a trainer can take.

    Raises:
        ArtifactError: an artifact is not there, or not one of `dr data rows`.
        DataError: a row is bad, a set has none of this kind or split, or the columns of two sets differ.
    """
    prompts = _prompts([artifact.read(each.rows, ("rows",)) for each in data.sets])
    trained = [_weighted(each, _table(each, kind, data.split), f"{seed}:{n}") for n, each in enumerate(data.sets)]
    folder.mkdir(exist_ok=True)
    train = _joined(data.sets, trained)
    if not train.num_rows:
        raise DataError("the weights leave no training row", where="data.sets", hint="give a set more `weight`")
    pq.write_table(train, folder / TRAIN)
    held_out = _held_out(data, kind, seed)
    if held_out is not None:
        pq.write_table(held_out, folder / HELD_OUT)
    return Composed(
        train=folder / TRAIN,
        held_out=None if held_out is None else folder / HELD_OUT,
        count=train.num_rows,
        held_out_count=0 if held_out is None else held_out.num_rows,
        prompts=prompts,
    )


def texts(composed: Composed) -> Iterator[str]:
    """The contents of all messages that are trained on, for a tokenizer to learn from."""
    for batch in pq.ParquetFile(composed.train).iter_batches():
        for row in batch.to_pylist():
            for message in row.get("messages") or row["prompt"]:
                yield message["content"]


def _held_out(data: Rows, kind: Kind, seed: int) -> pa.Table | None:
    if data.held_out is None:
        return None
    sets = [each for each in data.sets if _file(each, kind, data.held_out).is_file()]
    if not sets:
        hint = f"there are {_named(data.sets[0], kind)}; data.held_out=null measures nothing, and keeps the last model"
        raise DataError(f"no set has {kind} rows of the split `{data.held_out}`", where="data.held_out", hint=hint)
    for each in data.sets:
        if each not in sets:
            log.info("%s has no rows of the split `%s`: checkpoints are not measured on it", each.rows, data.held_out)
    table = _joined(sets, [_table(each, kind, data.held_out) for each in sets])
    most = data.max_held_out
    if most is None or table.num_rows <= most:
        return table
    return table.take(_drawn(table.num_rows, most, f"{seed}:held out"))


def _table(each: RowSet, kind: Kind, split: str) -> pa.Table:
    """The rows of one set, looked at one by one."""
    path = _file(each, kind, split)
    if not path.is_file():
        there = _named(each, kind)
        hint = f"there are {there}" if there else f"name `{kind}` among the `targets` of its recipe"
        raise DataError(f"the artifact has no {kind} rows of the split `{split}`", where=str(each.rows), hint=hint)
    found, count = next(iter(verl.check(path).items()))
    if (found == "rl") != (kind == "rl"):
        raise DataError(f"these are {found} rows, {kind} rows are needed", where=str(path))
    if not count:
        raise DataError("the file has no row", where=str(path))
    table = pq.read_table(path)
    return _conversations(table) if found == "question_answer" else table


def _conversations(table: pa.Table) -> pa.Table:
    """Questions with answers, as messages."""
    rows = [
        {"messages": [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]}
        for question, answer in zip(table["question"].to_pylist(), table["answer"].to_pylist(), strict=True)
    ]
    return pa.Table.from_pylist(rows, verl.sft_schema("sft"))


def _weighted(each: RowSet, table: pa.Table, seed: str) -> pa.Table:
    """Every row as often as the weight's whole part says, and the share of them, drawn, that is left."""
    times, rest = int(each.weight), each.weight % 1
    drawn = _drawn(table.num_rows, round(rest * table.num_rows), seed)
    return table.take([*range(table.num_rows)] * times + drawn)


def _drawn(rows: int, number: int, seed: str) -> list[int]:
    """Places of so many of the rows, in their order."""
    return sorted(random.Random(seed).sample(range(rows), number))  # noqa: S311 - no secret hangs on it


def _joined(sets: Sequence[RowSet], tables: Sequence[pa.Table]) -> pa.Table:
    first = tables[0].schema.remove_metadata()
    for each, table in zip(sets, tables, strict=True):
        if not table.schema.remove_metadata().equals(first):
            other = [f"`{field.name}`" for field in {*table.schema} ^ {*first}]
            raise DataError(
                f"its rows have other columns than those of {sets[0].rows}: {', '.join(sorted(set(other)))} differ",
                where=str(each.rows),
                hint="make both with the same `agent` (and its tools) in their recipes",
            )
    return pa.concat_tables([table.replace_schema_metadata(None) for table in tables]).combine_chunks()


def _prompts(manifests: Sequence[dict[str, Any]]) -> dict[str, Any] | None:
    """Facts of the one template of all sets."""
    facts = [manifest["stats"].get("prompts") for manifest in manifests]
    if any(known is None for known in facts) or len({known["digest"] for known in facts}) > 1:
        if any(facts):
            log.info("the rows are made with several prompt templates, or none: the model will not know its own")
        return None
    return {name: facts[0][name] for name in FACTS if name in facts[0]}


def _file(each: RowSet, kind: Kind, split: str) -> Path:
    return each.rows / kind / f"{split}.parquet"


def _named(each: RowSet, kind: Kind) -> str:
    return ", ".join(f"`{path.stem}`" for path in sorted((each.rows / kind).glob("*.parquet")))
