"""From rows to tensors: every distinct text of a step once, among texts of about its length."""

# B rows, C documents of a row at most, Q distinct queries, N distinct documents

import hashlib
import math
from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias

import torch
from sentence_transformers import SentenceTransformer
from torch import Tensor

from core.embed.fit.features import Prepare
from core.embed.losses.spec import AnyLoss, InfoNce
from core.embed.rows.ids import whole
from core.embed.rows.row import Row

Batch: TypeAlias = dict[str, Any]
"""What `Collate` makes and `core.embed.fit.objective` reads; transformers' Trainer can move it to a device.

groups: list of features, as `model.preprocess` gives them; their texts in a row are all texts of the step
order: [Q + N] where the vector of a text stands in that row: distinct queries first, then distinct documents
queries_B: row of the distinct queries; documents_BC: of the distinct documents, -1 where there is none
labels_BC (absent without labels), weights_B, query_groups_B, document_groups_N: as in `Embedded`
texts_N: digests of the documents' texts, int64: how processes know the same text
"""


class Collate:
    """Rows -> batch."""

    def __init__(self, model: SentenceTransformer, loss: AnyLoss) -> None:
        most = loss.mini_batch_size if isinstance(loss, InfoNce) else None
        self._prepare = Prepare(model, most_texts=most)

    def __call__(self, rows: Sequence[Row]) -> Batch:
        queries = _numbered(row.query for row in rows)
        documents = _numbered(text for row in rows for text in row.documents)
        groups, order = self._prepare(list(queries), list(documents))
        return {"groups": groups, "order": order, **_tables(rows, queries, documents), **_labels(rows)}


def _tables(rows: Sequence[Row], queries: dict[str, int], documents: dict[str, int]) -> dict[str, Tensor]:
    """Who asks for what, by number."""
    width = max(len(row.documents) for row in rows)
    ids: dict[str, str] = {}
    for row in rows:
        for text, id_ in zip(row.documents, row.document_ids, strict=True):
            ids.setdefault(text, id_)
    return {
        "queries_B": torch.tensor([queries[row.query] for row in rows]),
        "documents_BC": torch.tensor([_padded([documents[text] for text in row.documents], width, -1) for row in rows]),
        "weights_B": torch.tensor([row.weight for row in rows], dtype=torch.float32),
        "query_groups_B": torch.tensor([_digest(row.query_id) for row in rows]),
        "document_groups_N": torch.tensor([_digest(whole(ids[text])) for text in documents]),
        "texts_N": torch.tensor([_digest(text) for text in documents]),
    }


def _labels(rows: Sequence[Row]) -> dict[str, Tensor]:
    """Of rows that all have labels; nothing of others."""
    labels = [row.labels for row in rows if row.labels is not None]
    if len(labels) < len(rows):
        return {}
    width = max(len(row) for row in labels)
    return {"labels_BC": torch.tensor([_padded(row, width, math.nan) for row in labels], dtype=torch.float32)}


def _numbered(texts: Iterable[str]) -> dict[str, int]:
    """Each distinct text with its number, in order of first sight."""
    return {text: number for number, text in enumerate(dict.fromkeys(texts))}


def _padded(values: Sequence[float], width: int, filler: float) -> list[float]:
    return [*values, *[filler] * (width - len(values))]


def _digest(text: str) -> int:
    """63 bits and a sign of the text: 1,000 texts share one by chance once in 10^13 batches."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little", signed=True)
