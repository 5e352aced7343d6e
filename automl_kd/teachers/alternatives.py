"""Whether a teacher would be right more often if it were shown its images otherwise."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace

from torch import Tensor

from automl_kd.tasks import Task
from automl_kd.teachers.input import Transform, TransformedTeacher
from automl_kd.teachers.teacher import Teacher

_IMAGES, _FEWEST = 256, 8
_WORTH = 0.05  # share of images that another range has to gain
_SURE = 3.0  # standard errors
_USUAL = (((0.0,), (1.0,)), ((0.5,), (0.5,)), ((0.0,), (1 / 255,)))
OTHERS = 6
"""How many other ways there are at most."""

_IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


@dataclass(frozen=True)
class Alternative:
    """What a user writes to show a teacher other images, and the share that it then is right on, of how many images."""

    option: str
    correct: float
    images: int


def better_input(teacher: Teacher, task: Task, index: Tensor, right: Tensor, seconds: float) -> Alternative | None:
    """The usual input under which a teacher is right most often, if that is beyond noise and worth saying.

    Values in [0, 1], [-1, 1] and [0, 255], those of ImageNet, the task's own, and the task's own size are tried, on up
    to 256 images.

    Args:
        teacher: Who is asked, where it is.
        task: Its search-validation images.
        index: Which of these the teacher was asked about (N,).
        right: Whether it was right (N,), bool.
        seconds: After which no other is tried.
    """
    index, right = index[:_IMAGES], right[:_IMAGES].float()
    if len(index) < _FEWEST or 1 - float(right.mean()) < _WORTH:
        return None
    began, best = time.monotonic(), None
    for option, shown in _others(teacher, task):
        if time.monotonic() - began > seconds:
            break
        images = task.normalize(task.validation.images[index].to(teacher.device))
        try:
            answers = shown.outputs(images).logits.argmax(dim=1).cpu()
        except Exception:  # a network that does not take this size raises anything
            continue
        gain = (answers == task.validation.labels[index].cpu()).float() - right
        needed = max(_WORTH, _SURE * float(gain.std()) / math.sqrt(len(gain)))
        share = float(right.mean() + gain.mean())
        if float(gain.mean()) > needed and (best is None or share > best.correct):
            best = Alternative(option, share, len(index))
    return best


def _others(teacher: Teacher, task: Task) -> Iterator[tuple[str, Teacher]]:
    """The same network, shown images of another range or size."""
    inner, own, now = teacher, (task.mean, task.std), None
    if isinstance(teacher, TransformedTeacher):
        inner, now = teacher.inner, teacher.transform
    channels, size = inner.input_shape[0], task.input_shape[1:]
    if now is not None and now.after[1:] != size:
        option = f"input: {{size: [{size[0]}, {size[1]}]}}"
        yield option, TransformedTeacher(inner, replace(now, after=(channels, *size)))
    tried = [(mean * channels, std * channels) for mean, std in _USUAL]
    tried += [_IMAGENET] if channels == 3 else []
    if len(task.mean) in (1, channels):
        tried.append((task.mean * (channels // len(task.mean)), task.std * (channels // len(task.mean))))
    for mean, std in tried:
        spelled = (", ".join(f"{each:.6g}" for each in values) for values in (mean, std))
        option = "input: {{mean: [{}], std: [{}]}}".format(*spelled)
        yield option, TransformedTeacher(inner, Transform(task.input_shape, inner.input_shape, own, (mean, std)))
