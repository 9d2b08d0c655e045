"""Tevatron's training rows, which name their documents, and the corpus beside them.

<split>.jsonl  {"query_id", "query_text", "positive_document_ids": […], "negative_document_ids": […]}
corpus.jsonl   {"docid", "document_text"}
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from core.formats import jsonl, values
from core.formats.fields import clean_id
from core.formats.qrels import in_order
from core.formats.records import records
from core.formats.rows import OnBad, Row, fail
from core.types import Example, Passage

CORPUS = "corpus.jsonl"
_USED = frozenset({"query_id", "query_text", "positive_document_ids", "negative_document_ids"})


def examples(path: Path, on_bad: OnBad = fail) -> Iterator[tuple[Example, str]]:
    """The examples of a file and the place of each; their passages have an id and no text.

    Raises:
        UsageError: there is no such file.
        DataError: no rows.
    """
    return jsonl.convert(records(path, on_bad), lambda row: (_example(row), row.where), on_bad)


def row(item: Example) -> dict[str, Any]:
    """The training row of an example whose query and passages have ids."""
    return {
        "query_id": item.query_id,
        "query_text": item.query,
        "positive_document_ids": [passage.id for passage in item.positives],
        "negative_document_ids": [passage.id for passage in item.negatives],
    }


def splits(folder: Path) -> list[str]:
    """Names of the files of training rows: train, dev, test, then others by name."""
    names = (path.stem for path in folder.glob("*.jsonl") if path.name != CORPUS)
    return in_order(names)


def _example(row: Row) -> Example:
    if "query_id" not in row.fields:
        raise values.missing(row, "query_id")
    query_id, query = clean_id(row.fields["query_id"], row, "query_id"), values.query(row, "query_text")
    values.check_positives(row, "positive_document_ids")
    positives, negatives = (_named(row, f"{kind}_document_ids") for kind in ("positive", "negative"))
    return Example(query, positives, negatives, query_id, metadata=values.others(row, _USED))


def _named(row: Row, name: str) -> tuple[Passage, ...]:
    return tuple(
        Passage("", clean_id(value, row, f"{name}[{place}]")) for place, value in enumerate(values.items(row, name))
    )
