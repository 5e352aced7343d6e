"""How good a student, or its teacher, is on a split, by the metrics of the task."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from automl_kd.distillation.losses.tensors import full_precision
from automl_kd.tasks import Metric, Split, Task
from automl_kd.teachers import Teacher

_BATCH = 1024
_TEACHER_BATCH = 256


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What the metrics of a task say of one network on one split.

    Attributes:
        values: Of every metric that was asked for, by name; that of the first comes first.
        statistics: What the first metric is computed from, (examples, K), one row an example in the order of the split.
    """

    values: Mapping[str, float]
    statistics: NDArray[np.float64]

    @property
    def score(self) -> float:
        """The value of the first metric, by which networks are compared."""
        return next(iter(self.values.values()))


def evaluate(
    student: nn.Module,
    task: Task,
    split: Split,
    torch_device: torch.device | str,
    watch: Callable[[], object] = lambda: None,
) -> Evaluation:
    """The metrics of a student in evaluation mode, without autocast; its train flag is restored afterwards.

    Args:
        student: Examples as the task's modality prepares them (B, …) to outputs (B, width), on ``torch_device``.
        task: The task as the student sees it (:meth:`Task.at`), for its modality, its problem and its metrics.
        split: Examples and labels.
        torch_device: Where to compute.
        watch: Called before every batch; an exception that it raises ends the evaluation.
    """
    return _evaluation(outputs_of(student, task, split, torch_device, watch), split, task.metrics)


def outputs_of(
    student: nn.Module,
    task: Task,
    split: Split,
    torch_device: torch.device | str,
    watch: Callable[[], object] = lambda: None,
) -> Tensor:
    """What a student answers to the examples of a split, (N, width) in ordinary memory; arguments of ``evaluate``."""
    batches = []
    training = student.training
    student.eval()
    try:
        with torch.inference_mode():
            for stored in split.batches(_BATCH):
                watch()
                batches.append(_kept(student(task.modality.prepare(stored.to(torch_device)))))
    finally:
        student.train(training)
    return torch.cat(batches)


def evaluate_teacher(
    teacher: Teacher, task: Task, split: Split, watch: Callable[[], object] = lambda: None
) -> Evaluation:
    """As :func:`evaluate`, on the device of the teacher; several teachers count as the mean of what they believe."""
    batches = []
    for stored in split.batches(_TEACHER_BATCH):
        watch()
        outputs = teacher.outputs(task.modality.prepare(stored.to(teacher.device))).logits
        batches.append(_kept(outputs if teacher.members == 1 else task.problem.mean_of_members(outputs)))
    return _evaluation(torch.cat(batches), split, task.metrics)


def _kept(outputs: Tensor) -> Tensor:
    # In ordinary memory, batch by batch: the outputs of a large split would not fit beside the network on a GPU.
    return full_precision(outputs.detach()).cpu()


def _evaluation(outputs: Tensor, split: Split, metrics: Sequence[Metric]) -> Evaluation:
    labels = split.labels.cpu()
    first, *others = metrics
    statistics = first.statistics(outputs, labels)
    values = {first.name: first.value(statistics)}
    values |= {metric.name: metric.value(metric.statistics(outputs, labels)) for metric in others}
    return Evaluation(values, statistics)
