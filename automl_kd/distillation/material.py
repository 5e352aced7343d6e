"""What compression may look at of a task: its signature, and training examples as a student takes them."""

from __future__ import annotations

from functools import partial

import torch

from automl_kd.compression import Material
from automl_kd.distillation.batch_norm import measured_batches
from automl_kd.tasks import Task


def material_of(task: Task, seed: int) -> Material:
    """What stages of compression may look at.

    Args:
        task: The task as the student sees it (:meth:`Task.at`).
        seed: Of the recipe; it decides which examples are drawn.
    """
    drawn = partial(measured_batches, task, seed, torch.device("cpu"))
    return Material(task.signature, len(task.train), drawn)
