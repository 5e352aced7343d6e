"""How often a student is right."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from automl_kd.tasks import Split, Task

_BATCH = 1024


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Accuracy in [0, 1] and, image by image (N,), whether the largest logit was that of the label."""

    accuracy: float
    correct: NDArray[np.bool_]


def evaluate(student: nn.Module, task: Task, split: Split, device: torch.device | str) -> Evaluation:
    """Classify a split in evaluation mode, without autocast; the student's train flag is put back afterwards.

    Args:
        student: Normalised images (B, C, H, W) to logits (B, classes), on ``device``.
        task: The task, for its normalisation.
        split: Images and labels.
        device: Where to compute.
    """
    training = student.training
    student.eval()
    try:
        with torch.inference_mode():
            predicted = [
                student(task.normalize(images.to(device))).argmax(dim=1).cpu()
                for images in torch.split(split.images, _BATCH)
            ]
    finally:
        student.train(training)
    correct: NDArray[np.bool_] = (torch.cat(predicted) == split.labels.cpu()).numpy()
    return Evaluation(float(correct.mean()), correct)
