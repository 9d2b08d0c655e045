"""Distillation of a teacher's distribution."""

# B rows, C documents of a row at most

import torch
from torch import Tensor
from torch.nn.functional import kl_div, log_softmax

from core.embed.losses import similarity
from core.embed.losses.embedded import Embedded
from core.embed.losses.labels import labels
from core.embed.losses.spec import Kl


def kl(batch: Embedded, spec: Kl) -> Tensor:
    """Divergence of the student's distribution over a row's documents from the teacher's; the mean over the rows.

    Each side has its own temperature, so the gradient is not multiplied by its square, as it is where one serves both
    (Hinton et al. 2015, arXiv:1503.02531): temperature 1 is DistillKLDivLoss of sentence-transformers.
    """
    missing_BC = batch.documents_BC < 0
    # The least number instead of -inf: 0 x -inf would be NaN in the divergence, and in its gradient.
    least = torch.finfo(torch.float32).min
    student_BC = (similarity.to_own(batch) / spec.temperature).masked_fill(missing_BC, least)
    teacher_BC = (labels(batch).float() / spec.teacher_temperature).masked_fill(missing_BC, least)
    return kl_div(
        log_softmax(student_BC, dim=-1), log_softmax(teacher_BC, dim=-1), reduction="batchmean", log_target=True
    )
