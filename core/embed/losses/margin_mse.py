"""Distillation of a teacher's margins."""

# B rows, C documents of a row at most

from torch import Tensor

from core.embed.losses import similarity
from core.embed.losses.embedded import Embedded
from core.embed.losses.labels import labels
from core.embed.losses.spec import MarginMse


def margin_mse(batch: Embedded, spec: MarginMse) -> Tensor:
    """Mean over all negatives of the squared difference between the student's margin and the teacher's.

    Rows without a negative have no margin; a batch of such rows alone has the loss 0.

    Source: Hofstaetter et al. 2020, arXiv:2010.02666.
    """
    student_BC, teacher_BC = similarity.to_own(batch), labels(batch).nan_to_num() / spec.scale
    errors_BC = (student_BC[:, :1] - student_BC) - (teacher_BC[:, :1] - teacher_BC)
    negatives_BC = batch.documents_BC[:, 1:] >= 0
    return ((errors_BC[:, 1:] ** 2) * negatives_BC).sum() / negatives_BC.sum().clamp(min=1)
