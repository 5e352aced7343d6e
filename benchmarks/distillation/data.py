"""A part of a task's training images, and the teacher of the speed comparison."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import torch

from automl_kd.core import cache_dir
from automl_kd.distillation import distill
from automl_kd.recipes import Recipe, digest
from automl_kd.students import save_weights
from automl_kd.tasks import Split, Task
from benchmarks.distillation.speed_trials import TEACHER


def subset(task: Task, images: int) -> Task:
    """The task with so many of its training images, drawn once for all; itself where it has no more."""
    if images >= len(task.train):
        return task
    chosen = torch.randperm(len(task.train), generator=torch.Generator().manual_seed(0))[:images].sort().values
    train = Split(task.train.inputs[chosen], task.train.labels[chosen])
    # Cached outputs of a teacher are kept under this hash: other images need another.
    return dataclasses.replace(task, train=train, sha256=digest([task.sha256, "first of a permutation", images]))


def full_resolution_teacher(task: Task) -> Path:
    """Weights of a ResNet-20 without the stride in its stem, trained for two epochs once and kept in the cache."""
    training = {"student": TEACHER, "train": {"epochs": 2, "warmup": 0.1}}
    path = cache_dir() / "benchmarks" / f"{digest([training, task.sha256])}.safetensors"
    if not path.is_file():
        print("training the teacher, once", flush=True)
        outcome = distill(Recipe.model_validate(training), task, None, device="cpu")
        print(f"  {outcome.seconds:.0f} s, accuracy {outcome.score:.1%} on the search-validation split", flush=True)
        path.parent.mkdir(parents=True, exist_ok=True)
        save_weights(outcome.student, path)
    return path
