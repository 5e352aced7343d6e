"""Fashion-MNIST with classes of unequal size: all its images, and draws from them whose classes shrink evenly."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from automl_kd.tasks import Task, open_task

EASY_LAST = (6, 2, 4, 0, 3, 7, 5, 9, 8, 1)
"""The classes from frequent to rare: shirts, which networks mistake most, are frequent, and trousers rare."""
HARD_LAST = EASY_LAST[::-1]
"""The other way round."""
_TASK = """\
name: fashion-mnist
data: {kind: fashion-mnist}
splits: {validation: 2000}
"""


def whole_task() -> Task:
    """Fashion-MNIST of which nothing is left out: train and validation are the official 60,000 images."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "task.yaml"
        path.write_text(_TASK, encoding="utf-8")
        return open_task(str(path))


def shares(order: Sequence[int], ratio: float) -> NDArray[np.float64]:
    """Share of each class, (classes,): they fall by the same factor from class to class, in all by ``ratio``."""
    falling = ratio ** (-np.arange(len(order)) / (len(order) - 1))
    found = np.empty(len(order))
    found[list(order)] = falling / falling.sum()
    return found


def drawn(labels: torch.Tensor, examples: int, of_classes: NDArray[np.float64], seed: int) -> NDArray[np.int64]:
    """Indices of so many examples, ascending, drawn without replacement in shares of their classes.

    Args:
        labels: Class of each example to draw from, (N,).
        examples: How many.
        of_classes: Share of each class, (classes,).
        seed: Of the draw.
    """
    rng = np.random.default_rng(seed)
    counts = np.floor(examples * np.cumsum(of_classes) + 0.5).astype(int)
    counts = np.diff(counts, prepend=0)
    members = (np.flatnonzero(labels.numpy() == label) for label in range(len(counts)))
    chosen = [rng.choice(of_class, count, replace=False) for of_class, count in zip(members, counts, strict=True)]
    return np.sort(np.concatenate(chosen))
