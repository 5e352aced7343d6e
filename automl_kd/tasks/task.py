"""A task: images with labels in three splits, and how they reach a network."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import torch
from torch import Tensor

from automl_kd.recipes import TaskReference
from automl_kd.tasks.look import look
from automl_kd.tasks.metrics import Metric
from automl_kd.tasks.reading import DataReading, Found
from automl_kd.tasks.split import Split
from automl_kd.tasks.teacher import TeacherSpec


@dataclass(frozen=True, eq=False)
class Task:
    """What is learned.

    A search reads ``train`` and ``validation``; ``test`` is read once, by final picks and their teacher.

    Attributes:
        name: Its name in tables and reports.
        input_shape: Channels, height, width of an image.
        class_names: One name a class, in the order of the labels.
        train: What students learn from.
        validation: What a search compares students by.
        test: What final results are stated on.
        mean: Mean of the training images by channel, scaled to [0, 1].
        std: Their standard deviation by channel, in the same units.
        metrics: What networks are judged by: a search compares them by the first, all are reported.
        sha256: Hash of all that a network learns from: the splits, the normalisation and the class names.
        teacher: The teacher that the task file names, if any.
        reference: The reference by which a recipe names this task.
        found: What reading the data showed; the report on them builds on it.
        white: The value of an image that counts as 1: 255, or 1 where images are stored as floats in [0, 1].
    """

    name: str
    input_shape: tuple[int, int, int]
    class_names: tuple[str, ...]
    train: Split
    validation: Split
    test: Split
    mean: tuple[float, ...]
    std: tuple[float, ...]
    metrics: tuple[Metric, ...]
    sha256: str
    teacher: TeacherSpec | None
    reference: TaskReference
    found: Found = field(default=Found(), repr=False)
    white: float = 1.0
    _placed: dict[torch.device, tuple[Tensor, Tensor]] = field(default_factory=dict, init=False, repr=False)

    @property
    def metric(self) -> Metric:
        """The metric by which a search compares networks."""
        return self.metrics[0]

    @property
    def classes(self) -> int:
        """Number of logits."""
        return len(self.class_names)

    @cached_property
    def reading(self) -> DataReading:
        """The report on the data: what was read, and what is odd about it. Made when first asked for."""
        splits = {"train": self.train, "validation": self.validation, "test": self.test}
        return look(self.found, splits, self.class_names)

    def normalize(self, images: Tensor) -> Tensor:
        """Stored images (B, C, H, W) to float32 of zero mean and unit variance by channel, on the same device."""
        mean, std = self._moments(images.device)
        return (to_unit(images, self.white) - mean) / std

    def _moments(self, device: torch.device) -> tuple[Tensor, Tensor]:
        # Made once for each device, because a copy to a GPU waits for all that the GPU still has to do.
        if device not in self._placed:
            mean, std = (torch.tensor(values, device=device).view(-1, 1, 1) for values in (self.mean, self.std))
            self._placed[device] = (mean, std)
        return self._placed[device]


def to_unit(images: Tensor, white: float) -> Tensor:
    """Images as float32 in which 1 is white."""
    return images.float() if white == 1 else images.float() / white
