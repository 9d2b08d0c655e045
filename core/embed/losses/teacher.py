"""A teacher's scores of the training rows, kept on the disk as they come: a killed run does not pay for them twice."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path

import orjson

from core import digest, progress
from core.embed.losses.spec import Teacher
from core.embed.rows.listed import Listed
from core.embed.rows.row import Material, Row, Rows
from core.errors import DataError
from core.retrieval.reranker import Scorer, open_scorer

SCORES = "teacher.jsonl"
VALIDATION = "teacher-validation.jsonl"

BLOCK = 64
"""Rows that are scored at a time, and lost at most when a run is killed."""


def taught(material: Material, spec: Teacher, folder: Path) -> Material:
    """The same material with the teacher's scores as labels, of the validation rows too.

    Raises:
        see `scored`.
    """
    return replace(
        material,
        training=scored(material.training, spec, folder),
        validation=scored(material.validation, spec, folder, VALIDATION),
    )


def scored(rows: Rows | Sequence[Row], spec: Teacher, folder: Path, name: str = SCORES) -> Listed:
    """The rows with the teacher's score of each document as its label: the logit, as distillation takes it.

    Scores are appended to a file in `folder`, in the order of the rows; those that stand there are taken from there,
    and the model is not even loaded when they all do.

    Raises:
        Missing: the model cannot be loaded.
        ContractError: it is no cross-encoder with one label, or gives NaN.
        DataError: the file in `folder` is of other rows, or broken before its last line.
    """
    path = folder / name
    labels = _resumed(path, rows)
    if len(labels) < len(rows):
        _go_on(path, rows, labels, open_scorer(spec))
    return Listed(replace(rows[number], labels=of_row) for number, of_row in enumerate(labels))


def _go_on(path: Path, rows: Rows | Sequence[Row], labels: list[tuple[float, ...]], scorer: Scorer) -> None:
    """Score the rows that have no labels yet; each block goes to the disk before the next one."""
    owed = (rows[number] for number in range(len(labels), len(rows)))
    with path.open("ab") as file, progress.bar("embed: ask the teacher", len(rows)) as bar:
        bar.advance(len(labels))
        while block := list(islice(owed, BLOCK)):
            scores = iter(scorer.logits([(row.query, document) for row in block for document in row.documents]))
            for row in block:
                of_row = tuple(islice(scores, len(row.documents)))
                labels.append(of_row)
                file.write(orjson.dumps({"row": _digest(row), "scores": of_row}, option=orjson.OPT_APPEND_NEWLINE))
            file.flush()
            bar.advance(len(block))


def _resumed(path: Path, rows: Rows | Sequence[Row]) -> list[tuple[float, ...]]:
    """The scores in the file, which is cut behind its last whole block.

    Blocks stay as they are in a run that is not killed: how texts are padded together shows in the last digits.
    """
    if not path.exists():
        return []
    content = path.read_bytes()
    lines = content[: content.rfind(b"\n") + 1].splitlines(keepends=True)
    if len(lines) < len(rows):
        del lines[len(lines) // BLOCK * BLOCK :]
    if (whole := sum(map(len, lines))) < len(content):
        with path.open("r+b") as file:
            file.truncate(whole)
    return list(_read(lines, rows, path))


def _read(lines: Sequence[bytes], rows: Rows | Sequence[Row], path: Path) -> Iterator[tuple[float, ...]]:
    for number, line in enumerate(lines):
        where = f"{path}:{number + 1}"
        try:
            found = orjson.loads(line)
            key, scores = found["row"], tuple(map(float, found["scores"]))
        except (orjson.JSONDecodeError, KeyError, TypeError, ValueError):
            raise DataError(
                "the line holds no scores", where=where, hint="delete the file, and they are made anew"
            ) from None
        if number >= len(rows) or key != _digest(rows[number]) or len(scores) != len(rows[number].documents):
            what = "the scores are of another row than the training has here"
            raise DataError(what, where=where, hint="delete the file, and they are made anew")
        yield scores


def _digest(row: Row) -> str:
    """Of the texts of a row."""
    return digest.of_text("\0".join((row.query, *row.documents)))[:16]
