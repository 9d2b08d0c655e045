"""One batch of what several processes have, with gradients that find their way back."""

# W processes, B rows, C documents of a row at most, N distinct documents, H length of a vector

from dataclasses import replace

import torch
from torch import Tensor, distributed
from torch.distributed.nn.functional import all_gather

from core.embed.losses.embedded import Embedded


def gathered(batch: Embedded, texts_N: Tensor) -> Embedded:
    """The rows and documents of all processes, in order of their rank; `batch` itself in a single process.

    Every process gets the same, so it computes the loss of the whole, and the gradients that DistributedDataParallel
    averages over processes are those of one process with all rows. Processes may have different numbers of rows and
    texts. A text that several have stands once.
    """
    if not distributed.is_available() or not distributed.is_initialized() or distributed.get_world_size() == 1:
        return batch
    sizes_W2 = _sizes(batch)
    rows, texts = sizes_W2[:, 0].tolist(), sizes_W2[:, 1].tolist()
    columns = int(sizes_W2[:, 2].max())
    queries_BH = _all(batch.queries_BH, rows)
    texts_NH, groups_N = _all(batch.texts_NH, texts), _all(batch.document_groups_N, texts)
    first, number = _once(_all(texts_N, texts))
    own_BC = torch.nn.functional.pad(batch.documents_BC, (0, columns - batch.documents_BC.shape[1]), value=-1)
    starts = torch.tensor([0, *texts], device=own_BC.device).cumsum(0)[distributed.get_rank()]
    documents_BC = _all(torch.where(own_BC < 0, own_BC, own_BC + starts), rows)
    return replace(
        batch,
        queries_BH=queries_BH,
        texts_NH=texts_NH[first],
        documents_BC=torch.where(documents_BC < 0, documents_BC, number[documents_BC.clamp(min=0)]),
        weights_B=_all(batch.weights_B, rows),
        query_groups_B=_all(batch.query_groups_B, rows),
        document_groups_N=groups_N[first],
        labels_BC=None,
    )


def _sizes(batch: Embedded) -> Tensor:
    """[W, 3]: rows, distinct documents and columns in each process."""
    own = torch.tensor([len(batch.queries_BH), len(batch.texts_NH), batch.documents_BC.shape[1]])
    own = own.to(batch.documents_BC.device)
    sizes = [torch.zeros_like(own) for _ in range(distributed.get_world_size())]
    distributed.all_gather(sizes, own)
    return torch.stack(sizes)


def _all(own: Tensor, sizes: list[int]) -> Tensor:
    """The rows of all processes; the collective wants the same number of each, so shorter ones are filled up."""
    filled = torch.cat([own, own.new_zeros(max(sizes) - len(own), *own.shape[1:])])
    if filled.requires_grad:
        parts = list(all_gather(filled))  # type: ignore[no-untyped-call]
    else:
        parts = [torch.zeros_like(filled) for _ in sizes]
        distributed.all_gather(parts, filled)
    return torch.cat([part[:size] for part, size in zip(parts, sizes, strict=True)])


def _once(texts_N: Tensor) -> tuple[Tensor, Tensor]:
    """Where each distinct text stands first, and for every text the number of its distinct one."""
    distinct, number = torch.unique(texts_N, return_inverse=True)
    places = torch.arange(len(texts_N), device=texts_N.device)
    first = torch.full_like(distinct, len(texts_N)).scatter_reduce(0, number, places, "amin")
    return first, number
