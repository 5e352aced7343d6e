"""Two students trained once on 5,000 images of Fashion-MNIST, 1 : 20, and what they answer to all other images."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from automl_kd.core import cache_dir
from automl_kd.distillation import distill
from automl_kd.recipes import Recipe, digest
from automl_kd.tasks import Split, Task
from benchmarks.imbalance import EASY_LAST, HARD_LAST, drawn, shares, whole_task
from benchmarks.populations import Population

ORDERS = {"hard": HARD_LAST, "easy": EASY_LAST}
"""The classes from frequent to rare, by which of them are rare."""
_EXAMPLES = 5_000
_RATIO = 20.0
_STUDENTS = tuple(
    {
        "student": {
            "family": "resnet",
            "stem": {"stride": 2},
            "stages": [{"depth": 1, "channels": channels} for channels in stages],
        },
        "train": {"epochs": epochs, "batch_size": 32, "optimizer": {"name": "sgd", "lr": 0.1}, "warmup": 0.1},
    }
    for stages, epochs in (((16, 32, 64), 10), ((8, 16, 32), 8))
)


def fixed_students(rare: str, ratio: float) -> Population:
    """What two students answer to the images that neither has seen.

    Args:
        rare: Which classes are the rare ones: ``"hard"`` or ``"easy"``.
        ratio: Of the most frequent class to the rarest, where test sets are drawn. Training always saw 1 : 20.
    """
    order = ORDERS[rare]
    path = cache_dir() / "benchmarks" / f"{digest([_STUDENTS, _EXAMPLES, _RATIO, list(order)])}.npz"
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez(path, **_trained(order))
    with np.load(path) as kept:
        return Population(kept["labels"], kept["ours"], kept["theirs"], shares(order, ratio))


def _trained(order: Sequence[int]) -> dict[str, NDArray[Any]]:
    task = whole_task()
    pool = task.train
    chosen = drawn(pool.labels, _EXAMPLES, shares(order, _RATIO), seed=0)
    train = pool.take(chosen)
    rest = pool.take(np.setdiff1d(np.arange(len(pool)), chosen))
    others = [rest, task.validation, task.test]
    # Scores on the way are of no use here; a few images of the validation split make them cheap.
    few = dataclasses.replace(
        task,
        train=train,
        validation=task.validation.take(np.arange(200)),
        sha256=digest([task.sha256, "imbalanced", list(order)]),
    )
    answers = []
    for document in _STUDENTS:
        student = distill(Recipe.model_validate(document), few, None, device="cpu").student
        answers.append(np.concatenate([_logits(student, task, split) for split in others]))
    labels = torch.cat([split.labels for split in others]).numpy()
    return {"labels": labels, "ours": answers[0], "theirs": answers[1]}


def _logits(student: nn.Module, task: Task, split: Split) -> NDArray[np.float32]:
    with torch.inference_mode():
        batches = [student(task.modality.prepare(images)) for images in torch.split(split.inputs, 1024)]
    found: NDArray[np.float32] = torch.cat(batches).numpy()
    return found
