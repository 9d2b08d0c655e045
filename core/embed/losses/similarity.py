"""Cosine similarities of a batch, in 32 bits whatever the model computes in."""

# B rows, C documents of a row at most, N distinct documents of the batch, H length of a vector

from torch import Tensor
from torch.nn.functional import normalize

from core.embed.losses.embedded import Embedded


def to_all(batch: Embedded) -> Tensor:
    """Of each query with each document of the batch, [B, N]."""
    return normalize(batch.queries_BH.float(), dim=-1) @ normalize(batch.texts_NH.float(), dim=-1).T


def to_own(batch: Embedded) -> Tensor:
    """Of each query with the documents of its row, [B, C]; without meaning where `documents_BC` is -1."""
    queries_BH, texts_NH = normalize(batch.queries_BH.float(), dim=-1), normalize(batch.texts_NH.float(), dim=-1)
    own_BCH = texts_NH[batch.documents_BC.clamp(min=0)]
    return (queries_BH[:, None] * own_BCH).sum(-1)
