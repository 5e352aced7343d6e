"""Cross-entropy with the labels, plain or mixed."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

from automl_kd.distillation.losses._contract import Contract, Moment
from automl_kd.distillation.losses._tensors import full_precision
from automl_kd.recipes.losses import TaskLoss


def cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """Mean over the batch of -Σ_c y_c log softmax(logits)_c.

    Args:
        logits: (B, classes).
        labels: Class indices (B,) int64, or distributions over the classes (B, classes) as :func:`mix_labels` makes.

    Returns:
        A scalar in nats.
    """
    return functional.cross_entropy(full_precision(logits), labels)


def mix_labels(labels: Tensor, permutation: Tensor, share: float, classes: int) -> Tensor:
    """Labels of images mixed by mixup (Zhang et al. 2018, arXiv:1710.09412): share·y_i + (1 - share)·y_permutation(i).

    Cross-entropy is linear in the labels, so one call with the mixture equals the weighted sum of the two calls with
    the two sets of labels.

    Args:
        labels: (B,) int64.
        permutation: (B,) int64, the partner of each image.
        share: Weight of the image itself, in [0, 1].
        classes: Number of classes.

    Returns:
        Distributions (B, classes), float32.
    """
    one_hot = functional.one_hot(labels, classes).float()
    return share * one_hot + (1 - share) * one_hot[permutation]


def _compare(part: TaskLoss, student: Tensor, labels: Tensor, moment: Moment) -> Tensor:
    return cross_entropy(student, labels)


CONTRACT = Contract(
    kind="task",
    inputs="labels",
    compare=_compare,
    scale="nats",
    zero_at_identity=False,
    paper="the task's own loss",
    reference="torch.nn.functional.cross_entropy",
)
