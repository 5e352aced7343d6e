"""How often a student, or its teacher, is right."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from automl_kd.tasks import Split, Task
from automl_kd.teachers import Teacher

_BATCH = 1024
_TEACHER_BATCH = 256


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Accuracy in [0, 1] and, image by image (N,), whether the largest logit was that of the label."""

    accuracy: float
    correct: NDArray[np.bool_]


def evaluate(
    student: nn.Module,
    task: Task,
    split: Split,
    device: torch.device | str,
    watch: Callable[[], object] = lambda: None,
) -> Evaluation:
    """Classify a split in evaluation mode, without autocast; the student's train flag is put back afterwards.

    Args:
        student: Normalised images (B, C, H, W) to logits (B, classes), on ``device``.
        task: The task, for its normalisation.
        split: Images and labels.
        device: Where to compute.
        watch: Called before every batch; what it raises ends the evaluation.
    """
    predicted = []
    training = student.training
    student.eval()
    try:
        with torch.inference_mode():
            for images in torch.split(split.images, _BATCH):
                watch()
                predicted.append(student(task.normalize(images.to(device))).argmax(dim=1).cpu())
    finally:
        student.train(training)
    return _compared(predicted, split)


def evaluate_teacher(
    teacher: Teacher, task: Task, split: Split, watch: Callable[[], object] = lambda: None
) -> Evaluation:
    """As :func:`evaluate`, where the teacher is; several teachers count as the mean of their probabilities."""
    predicted = []
    for images in torch.split(split.images, _TEACHER_BATCH):
        watch()
        logits = teacher.outputs(task.normalize(images.to(teacher.device))).logits
        answers = logits if teacher.members == 1 else logits.softmax(dim=2).mean(dim=1)
        predicted.append(answers.argmax(dim=1).cpu())
    return _compared(predicted, split)


def _compared(predicted: Sequence[torch.Tensor], split: Split) -> Evaluation:
    correct: NDArray[np.bool_] = (torch.cat(list(predicted)) == split.labels.cpu()).numpy()
    return Evaluation(float(correct.mean()), correct)
