"""The metrics of a task, until the task itself says which they are."""

from __future__ import annotations

from automl_kd.tasks import Task
from automl_kd.tasks.metrics import Metric, metrics_of


def task_metrics(task: Task) -> tuple[Metric, ...]:
    """The metric that students are compared by, then the others."""
    return metrics_of("multiclass", task.classes)
