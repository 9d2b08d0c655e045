"""The loss of a batch: through the model at once, or with cached gradients in the memory of a few texts."""

# B rows, C documents of a row at most, N distinct documents, T texts of the batch, H length of a vector

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.losses import CachedLossMixin
from torch import Tensor, nn

from core.embed.fit.batch import Batch
from core.embed.fit.gather import gathered
from core.embed.losses.criterion import criterion
from core.embed.losses.embedded import Embedded
from core.embed.losses.spec import AnyLoss, InfoNce
from core.errors import RecipeError


class Objective(nn.Module):
    """Batch -> scalar loss. `model` may be replaced by what wraps it (DistributedDataParallel)."""

    def __init__(self, model: SentenceTransformer, spec: AnyLoss) -> None:
        super().__init__()
        _check(model, spec)
        self.model: nn.Module = model
        self.spec = spec
        self._criterion = criterion(spec)

    def forward(self, batch: Batch) -> Tensor:
        """The same value, and up to rounding the same gradient, with cached gradients or without."""
        of_vectors = partial(self._of_vectors, batch)
        most = self.spec.mini_batch_size if isinstance(self.spec, InfoNce) else None
        groups = batch["groups"]
        if most is not None and torch.is_grad_enabled() and "offsets" not in groups[0]:
            return _Cached(self.model, most, of_vectors).forward_cached(groups)
        # A copy: the model leaves what it computes in the dict that it is given.
        return of_vectors(torch.cat([self.model(dict(features))["sentence_embedding"] for features in groups]))

    def _of_vectors(self, batch: Batch, vectors_TH: Tensor) -> Tensor:
        vectors_TH = vectors_TH.float()[batch["order"]]
        num_documents = len(batch["texts_N"])
        queries_QH, texts_NH = vectors_TH[:-num_documents], vectors_TH[-num_documents:]
        embedded = Embedded(
            queries_BH=queries_QH[batch["queries_B"]],
            texts_NH=texts_NH,
            documents_BC=batch["documents_BC"],
            weights_B=batch["weights_B"],
            query_groups_B=batch["query_groups_B"],
            document_groups_N=batch["document_groups_N"],
            labels_BC=batch.get("labels_BC"),
        )
        if isinstance(self.spec, InfoNce) and self.spec.gather and self.spec.in_batch:
            embedded = gathered(embedded, batch["texts_N"])
        with torch.autocast(vectors_TH.device.type, enabled=False):
            return self._criterion(embedded)


class _Cached(CachedLossMixin):
    """Gradients cached by sentence-transformers (Gao et al. 2021, arXiv:2101.06983), for one batch."""

    def __init__(self, model: nn.Module, mini_batch_size: int, of_vectors: Callable[[Tensor], Tensor]) -> None:
        self.model, self.mini_batch_size, self._of_vectors = model, mini_batch_size, of_vectors
        device = next(model.parameters()).device.type
        # The second pass runs in the backward pass, which is outside the trainer's autocast.
        self._autocast = partial(
            torch.autocast,
            device,
            dtype=torch.get_autocast_dtype(device),
            enabled=torch.is_autocast_enabled(device),
        )

    def embed_minibatch_iter(self, *args: Any, **kwargs: Any) -> Iterator[tuple[Tensor, Any]]:
        """Overrides: under the autocast that the forward pass was under."""
        inner = super().embed_minibatch_iter(*args, **kwargs)
        while True:
            with self._autocast():
                made = next(inner, None)
            if made is None:
                return
            yield made

    def calculate_loss(
        self,
        reps: list[list[Tensor]],
        labels: Tensor | None = None,  # noqa: ARG002 - the parent's signature
        *,
        with_backward: bool = False,
    ) -> Tensor:
        """Overrides: `reps` are the vectors of each group."""
        loss = self._of_vectors(torch.cat([vectors for group in reps for vectors in group]))
        if with_backward:
            torch.autograd.backward(loss)
        return loss.detach()


def _check(model: SentenceTransformer, spec: AnyLoss) -> None:
    length = model.get_embedding_dimension()
    if length is not None and (longer := [cut for cut in spec.matryoshka if cut > length]):
        raise RecipeError(
            f"`loss.matryoshka` has {longer[0]}, and the model's vectors have {length} numbers",
            hint=f"give lengths below {length}",
        )
