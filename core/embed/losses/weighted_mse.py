"""Weighted mean squared error of graded pairs."""

# B rows, C documents of a row at most

from torch import Tensor

from core.embed.losses import similarity
from core.embed.losses.embedded import Embedded
from core.embed.losses.labels import labels


def weighted_mse(batch: Embedded) -> Tensor:
    """weight x (cosine - label)^2, summed over the pairs and divided by their number, not by the sum of weights.

    So a weight of 2 on every pair is twice the loss, and a pair's weight means the same in whatever batch it stands.
    Weights of 1: CosineSimilarityLoss of sentence-transformers.
    """
    is_pair_BC = batch.documents_BC >= 0
    squared_BC = (similarity.to_own(batch) - labels(batch).nan_to_num()) ** 2
    return (batch.weights_B[:, None] * squared_BC)[is_pair_BC].mean()
