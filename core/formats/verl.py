"""Parquet files as verl opens them: rows for reinforcement learning (RL) and for supervised fine-tuning (SFT).

RL    data_source, prompt [{role, content}], ability, reward_model {style, ground_truth},
      extra_info {split, index, question[, need_tools_kwargs, tools_kwargs]}[, agent_name]
SFT   messages [{role, content}]; in older versions question, answer

`ground_truth` is text: as a dict, every row would come back with the keys of all rows of the file.
Checked against verl 0.9.1: `RLHFDataset` reads by `datasets`, `MultiTurnSFTDataset` by pandas on pyarrow.
"""

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pyarrow.parquet as pq

from core.errors import DataError
from core.formats import arrow
from core.formats.messages import ASSISTANT, SYSTEM, USER, Message, as_dicts
from core.formats.rows import BadRow, OnBad, Row, fail, kind_of, unreadable

Kind = Literal["rl", "sft", "question_answer"]

BATCH = 1000
"""Rows held before they are written, and rows of a row group."""

_MESSAGES = pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())]))
_ROLES = (SYSTEM, USER, ASSISTANT, "tool")
_NEEDED: dict[Kind, tuple[str, ...]] = {
    "rl": ("data_source", "prompt", "reward_model", "extra_info"),
    "sft": ("messages",),
    "question_answer": ("question", "answer"),
}


def rl_row(
    prompt: tuple[Message, ...],
    *,
    data_source: str,
    ability: str,
    ground_truth: str,
    split: str,
    index: int,
    question: str,
    agent: str | None = None,
    tools: Sequence[str] = (),
) -> dict[str, Any]:
    """One row for RL. `tools` are those that the agent loop makes for each row; each is told the ground truth."""
    extra: dict[str, Any] = {"split": split, "index": index, "question": question}
    if tools:
        kwargs = {"ground_truth": ground_truth, "question": question, "data_source": data_source}
        extra |= {"need_tools_kwargs": True, "tools_kwargs": {tool: {"create_kwargs": kwargs} for tool in tools}}
    row = {
        "data_source": data_source,
        "prompt": as_dicts(prompt),
        "ability": ability,
        "reward_model": {"style": "rule", "ground_truth": ground_truth},
        "extra_info": extra,
    }
    return row if agent is None else {**row, "agent_name": agent}


def rl_schema(*, agent: bool = False, tools: Sequence[str] = ()) -> pa.Schema:
    """Columns of RL rows; the same for every file of a set, however few rows it has."""
    extra = [("split", pa.string()), ("index", pa.int64()), ("question", pa.string())]
    if tools:
        kwargs = pa.struct([(name, pa.string()) for name in ("ground_truth", "question", "data_source")])
        each = pa.struct([(tool, pa.struct([("create_kwargs", kwargs)])) for tool in tools])
        extra += [("need_tools_kwargs", pa.bool_()), ("tools_kwargs", each)]
    columns = [
        ("data_source", pa.string()),
        ("prompt", _MESSAGES),
        ("ability", pa.string()),
        ("reward_model", pa.struct([("style", pa.string()), ("ground_truth", pa.string())])),
        ("extra_info", pa.struct(extra)),
    ]
    return pa.schema([*columns, ("agent_name", pa.string())] if agent else columns)


def sft_schema(kind: Literal["sft", "question_answer"]) -> pa.Schema:
    """Columns of SFT rows, as verl 0.9 or as older versions read them."""
    match kind:
        case "sft":
            return pa.schema([("messages", _MESSAGES)])
        case "question_answer":
            return pa.schema([("question", pa.string()), ("answer", pa.string())])


class BadColumn(BadRow):
    """A row with something wrong in one column, or in a place inside it: `prompt[1].role`."""

    def __init__(self, row: Row, column: str, what: str, hint: str | None) -> None:
        super().__init__("wrong columns", f"`{column}` {what}", where=row.where, row=str(row.fields), hint=hint)
        self.column = column


class Writer:
    """Writes rows to a parquet file, a batch at a time; the file is there from its first row on."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self.count = 0
        """Rows taken so far."""
        self._path, self._schema = path, schema
        self._batch: list[dict[str, Any]] = []
        self._file: pq.ParquetWriter | None = None

    def write(self, row: dict[str, Any]) -> None:
        """Take one row."""
        self._batch.append(row)
        self.count += 1
        if len(self._batch) == BATCH:
            self._flush()

    def close(self) -> None:
        """Write what is left, and end the file."""
        self._flush()
        if self._file:
            self._file.close()

    def _flush(self) -> None:
        if not self._batch:
            return
        if self._file is None:
            self._path.parent.mkdir(exist_ok=True)
            self._file = pq.ParquetWriter(self._path, self._schema)
        self._file.write_table(pa.Table.from_pylist(self._batch, self._schema))
        self._batch = []


def kind_of_file(path: Path) -> Kind:
    """What kind of rows a file holds, by its columns.

    Raises:
        UsageError: there is no such file.
        DataError: it is no parquet file, or its columns are of no kind.
    """
    try:
        names = pq.read_schema(path).names
    except pa.ArrowInvalid as error:
        raise DataError(f"no parquet file: {str(error).splitlines()[0]}", where=str(path)) from None
    except OSError as error:
        raise unreadable(path, error) from None
    if kind := kind_of_columns(names, str(path)):
        return kind
    raise _no_columns(str(path), names, "neither RL nor SFT rows")


def kind_of_columns(names: Collection[str], where: str) -> Kind | None:
    """What kind of rows have these columns; None where they are of no kind.

    Raises:
        DataError: they are those of RL, and one is missing.
    """
    if "reward_model" in names or {"prompt", "data_source"} <= {*names}:
        missing = [name for name in _NEEDED["rl"] if name not in names]
        if missing:
            raise _no_columns(where, names, f"RL rows lack {_quoted(missing)}")
        return "rl"
    kinds: tuple[Kind, ...] = ("sft", "question_answer")
    return next((kind for kind in kinds if all(name in names for name in _NEEDED[kind])), None)


def check(path: Path, on_bad: OnBad = fail) -> dict[Kind, int]:
    """How many rows of which kind a file holds; a row that verl or a reward would trip over goes to `on_bad`.

    Raises:
        UsageError: there is no such file.
        DataError: it is no parquet file, its columns are of no kind, or it has no row.
    """
    kind, count = kind_of_file(path), 0
    for row in arrow.parquet(path, on_bad):
        count += 1
        try:
            check_row(kind, row)
        except BadRow as bad:
            on_bad(bad)
    return {kind: count}


def check_row(kind: Kind, row: Row) -> None:
    """Look at one row.

    Raises:
        BadColumn: verl or a reward would trip over it.
    """
    _CHECKS[kind](row)


def _check_rl(row: Row) -> None:
    _text(row, "data_source")
    _check_messages(row, "prompt", last=(USER, "tool"))
    for name in ("style", "ground_truth"):
        _text(row, f"reward_model.{name}", hint="write a dict as JSON text" if name == "ground_truth" else None)
    if not isinstance(_at(row, "extra_info.index"), int):
        raise _bad(row, "extra_info.index", "is no integer")
    if _at(row, "extra_info.need_tools_kwargs") and not _at(row, "extra_info.tools_kwargs"):
        raise _bad(row, "extra_info.tools_kwargs", "is empty, and `need_tools_kwargs` is true")
    if "agent_name" in row.fields:
        _text(row, "agent_name")


def _check_sft(row: Row) -> None:
    _check_messages(row, "messages", last=(ASSISTANT,))


def _check_question_answer(row: Row) -> None:
    _text(row, "question")
    _text(row, "answer")


_CHECKS = {"rl": _check_rl, "sft": _check_sft, "question_answer": _check_question_answer}


def _check_messages(row: Row, name: str, last: tuple[str, ...]) -> None:
    messages = row.fields.get(name)
    if not isinstance(messages, list) or not messages:
        raise _bad(row, name, "is empty" if messages == [] else f"is {kind_of(messages)}, a list is needed")
    for place, message in enumerate(messages):
        if not isinstance(message, dict):
            raise _bad(row, f"{name}[{place}]", "is no message with `role` and `content`")
        if message.get("role") not in _ROLES:
            raise _bad(
                row, f"{name}[{place}].role", f"is {message.get('role')!r}, one of {', '.join(_ROLES)} is needed"
            )
        if not isinstance(message.get("content"), str) or not message["content"].strip():
            raise _bad(row, f"{name}[{place}].content", "is no text, or an empty one")
    if messages[-1]["role"] not in last:
        raise _bad(row, name, f"ends with the {messages[-1]['role']}, {' or '.join(last)} is needed")


def _at(row: Row, name: str) -> Any:
    value: Any = row.fields
    for part in name.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return value


def _text(row: Row, name: str, hint: str | None = None) -> None:
    value = _at(row, name)
    if not isinstance(value, str) or not value.strip():
        raise _bad(row, name, "is empty" if isinstance(value, str) else f"is {kind_of(value)}, not text", hint)


def _bad(row: Row, column: str, what: str, hint: str | None = None) -> BadColumn:
    return BadColumn(row, column, what, hint)


def _no_columns(where: str, names: Collection[str], what: str) -> DataError:
    hint = "RL rows: " + _quoted(_NEEDED["rl"]) + "; SFT rows: `messages`, or `question` and `answer`"
    return DataError(f"{what}: the file has the columns {_quoted(names)}", where=where, hint=hint)


def _quoted(names: Collection[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)
