"""InfoNCE: among the documents of a batch find the one that answers."""

# B rows, N distinct documents of the batch, K candidates: documents, or queries where documents look for theirs

from functools import partial

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from core.embed.losses import similarity
from core.embed.losses.embedded import Embedded
from core.embed.losses.spec import InfoNce


def infonce(batch: Embedded, spec: InfoNce) -> Tensor:
    """Mean over the rows; with `symmetric` the mean of both directions.

    Source: van den Oord et al. 2018, arXiv:1807.03748; in both directions Guenther et al. 2023, arXiv:2310.19923.
    """
    cosines_BN = similarity.to_all(batch)
    positives_B = batch.documents_BC[:, 0]
    find = partial(_find, temperature=spec.temperature, margin=spec.false_negative_margin)
    document = find(cosines_BN, positives_B, excluded_BK=_excluded_documents(batch, spec))
    if not spec.symmetric:
        return document
    rows_B = torch.arange(len(positives_B), device=positives_B.device)
    query = find(cosines_BN[:, positives_B].T, rows_B, excluded_BK=_excluded_queries(batch, spec))
    return (document + query) / 2


def _find(
    cosines_BK: Tensor, positives_B: Tensor, *, excluded_BK: Tensor, temperature: float, margin: float | None
) -> Tensor:
    """Cross-entropy of finding candidate `positives_B[b]` among those that are not excluded."""
    if margin is not None:
        excluded_BK = excluded_BK | false_negatives(cosines_BK, positives_B, margin)
    excluded_BK = excluded_BK.scatter(1, positives_B[:, None], False)
    return cross_entropy((cosines_BK / temperature).masked_fill(excluded_BK, -torch.inf), positives_B)


def false_negatives(cosines_BK: Tensor, positives_B: Tensor, margin: float) -> Tensor:
    """Which candidates are more similar than the positive by more than `margin`, and so may well answer too.

    Cosines before the temperature, as ms-swift's INFONCE_MASK_FAKE_NEGATIVE has it; the comparison has no gradient.
    Source of the rule: NV-Retriever, Moreira et al. 2024, arXiv:2407.15831, and GISTEmbed, arXiv:2402.16829.
    """
    cosines_BK = cosines_BK.detach()
    return cosines_BK > cosines_BK.gather(1, positives_B[:, None]) + margin


def _excluded_documents(batch: Embedded, spec: InfoNce) -> Tensor:
    """[B, N]: documents that are no negatives of the row's query."""
    excluded_BN = _none(batch) if spec.in_batch else ~_own(batch)
    if spec.mask_same_document:
        excluded_BN = excluded_BN | _same_document(batch) | _answers_same_query(batch)
    return excluded_BN


def _excluded_queries(batch: Embedded, spec: InfoNce) -> Tensor:
    """[B, B]: queries (columns) that are no negatives of the row's positive."""
    if not spec.mask_same_document:
        return torch.zeros_like(batch.documents_BC[:, :1] == batch.documents_BC[:, 0])
    positives_B = batch.documents_BC[:, 0]
    same_query_BB = batch.query_groups_B[:, None] == batch.query_groups_B
    return same_query_BB | (_same_document(batch) | _answers_same_query(batch))[:, positives_B].T


def _none(batch: Embedded) -> Tensor:
    """[B, N]: no document."""
    shape = len(batch.queries_BH), len(batch.texts_NH)
    return torch.zeros(shape, dtype=torch.bool, device=batch.documents_BC.device)


def _own(batch: Embedded) -> Tensor:
    """[B, N]: the documents of the row."""
    # -1 is written as the positive, which is one of them anyway.
    return _none(batch).scatter(1, batch.documents_BC.where(batch.documents_BC >= 0, batch.documents_BC[:, :1]), True)


def _same_document(batch: Embedded) -> Tensor:
    """[B, N]: pieces of the document that the row's positive is a piece of."""
    return batch.document_groups_N[batch.documents_BC[:, 0]][:, None] == batch.document_groups_N


def _answers_same_query(batch: Embedded) -> Tensor:
    """[B, N]: positives of any row that has the same query."""
    rows, others = (batch.query_groups_B[:, None] == batch.query_groups_B).nonzero(as_tuple=True)
    answers_BN = _none(batch)
    answers_BN[rows, batch.documents_BC[others, 0]] = True
    return answers_BN
