"""Whether a teacher would be right more often if it were shown values of another range."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass

from torch import Tensor

from automl_kd.tasks import Task
from automl_kd.teachers._input import Statistics, Transform, TransformedTeacher
from automl_kd.teachers._teacher import Teacher

_IMAGES = 256
_WORTH = 0.05  # share of images that another range has to gain
_SURE = 3.0  # standard errors
_USUAL = (((0.0,), (1.0,)), ((0.5,), (0.5,)), ((0.0,), (1 / 255,)))
_IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


@dataclass(frozen=True)
class Alternative:
    """Statistics under which a teacher is right more often; the share that it then is right on, of how many images."""

    statistics: Statistics
    correct: float
    images: int

    @property
    def option(self) -> str:
        """What a user writes to have it."""
        mean, std = (", ".join(f"{each:.6g}" for each in values) for values in self.statistics)
        return f"input: {{mean: [{mean}], std: [{std}]}}"


def better_range(teacher: Teacher, task: Task, index: Tensor, right: Tensor, seconds: float) -> Alternative | None:
    """The usual normalisation under which a teacher is right most often, if that is beyond noise and worth saying.

    Values in [0, 1], [-1, 1] and [0, 255], those of ImageNet and the task's own are tried, on up to 256 images.

    Args:
        teacher: Who is asked, where it is.
        task: Its search-validation images.
        index: Which of these the teacher was asked about (N,).
        right: Whether it was right (N,), bool.
        seconds: After which no other is tried.
    """
    index, right = index[:_IMAGES], right[:_IMAGES].float()
    if 1 - float(right.mean()) < _WORTH:
        return None
    began, best = time.monotonic(), None
    for statistics, shown in _others(teacher, task):
        if time.monotonic() - began > seconds:
            break
        images = task.normalize(task.validation.images[index].to(teacher.device))
        answers = shown.outputs(images).logits.argmax(dim=1).cpu()
        gain = (answers == task.validation.labels[index].cpu()).float() - right
        needed = max(_WORTH, _SURE * float(gain.std()) / math.sqrt(len(gain)))
        share = float(right.mean() + gain.mean())
        if float(gain.mean()) > needed and (best is None or share > best.correct):
            best = Alternative(statistics, share, len(index))
    return best


def _others(teacher: Teacher, task: Task) -> Iterator[tuple[Statistics, Teacher]]:
    """The same network, shown values of other ranges."""
    inner = teacher.inner if isinstance(teacher, TransformedTeacher) else teacher
    channels = inner.input_shape[0]
    tried = [(mean * channels, std * channels) for mean, std in _USUAL]
    own = task.input_shape[0]
    if channels == 3:
        tried.append(_IMAGENET)
    if own in (1, channels):
        tried.append((task.mean * (channels // own), task.std * (channels // own)))
    for statistics in tried:
        yield (
            statistics,
            TransformedTeacher(
                inner, Transform(task.input_shape, inner.input_shape, (task.mean, task.std), statistics)
            ),
        )
