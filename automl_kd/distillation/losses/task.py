"""The task's own loss with the labels: cross-entropy of classes, and what its problem type says of others."""

from __future__ import annotations

from torch import Tensor

from automl_kd.distillation.losses.inputs import LABELS
from automl_kd.distillation.losses.spec import ANY, LOSS_SPECS, LossSpec, StepContext
from automl_kd.recipes.losses import Loss
from automl_kd.recipes.schedules import Schedule, Weight


class TaskLoss(Loss):
    """The task's own loss with the labels: cross-entropy where they are classes."""

    weight: Weight | Schedule = 1.0


def _compare(part: TaskLoss, student: Tensor, labels: Tensor, context: StepContext) -> Tensor:
    if context.label_smoothing:
        labels = context.problem.smoothed(labels, context.label_smoothing)
    return context.problem.loss(student, labels)


SPEC = LOSS_SPECS.add(
    "task",
    LossSpec(
        part=TaskLoss,
        kind="task",
        inputs=LABELS,
        compare=_compare,
        scale="of the problem's loss: for classes nats",
        zero_at_identity=False,
        paper="the task's own loss",
        reference="torch.nn.functional.cross_entropy for classes",
        takes=ANY,
    ),
)
