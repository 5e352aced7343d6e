"""Cross-entropy with the labels, plain or mixed."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

from automl_kd.distillation.losses.inputs import LABELS
from automl_kd.distillation.losses.spec import LOSS_SPECS, LossSpec, StepContext
from automl_kd.distillation.losses.tensors import full_precision
from automl_kd.recipes.losses import Loss
from automl_kd.recipes.schedules import Schedule, Weight


class TaskLoss(Loss):
    """Cross-entropy with the labels."""

    weight: Weight | Schedule = 1.0


def cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """Mean over the batch of -Σ_c y_c log softmax(logits)_c.

    Args:
        logits: (B, classes).
        labels: Class indices (B,) int64, or distributions over the classes (B, classes), as mixed images have.

    Returns:
        A scalar in nats.
    """
    return functional.cross_entropy(full_precision(logits), labels)


def _compare(part: TaskLoss, student: Tensor, labels: Tensor, context: StepContext) -> Tensor:
    return cross_entropy(student, labels)


SPEC = LOSS_SPECS.add(
    "task",
    LossSpec(
        part=TaskLoss,
        kind="task",
        inputs=LABELS,
        compare=_compare,
        scale="nats",
        zero_at_identity=False,
        paper="the task's own loss",
        reference="torch.nn.functional.cross_entropy",
    ),
)
