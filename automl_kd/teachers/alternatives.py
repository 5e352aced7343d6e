"""Whether a teacher would answer better if it were shown the examples otherwise."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from automl_kd.tasks import Task
from automl_kd.teachers.teacher import Teacher
from automl_kd.teachers.transformed import TransformedTeacher

_EXAMPLES, _FEWEST = 256, 8
_WORTH = 0.05  # of the way from nothing to everything right that another way to show examples has to gain
_SURE = 3.0  # standard errors

Judge = Callable[[Tensor, Tensor], Tensor]
"""How good outputs (B, width) are for labels (B, …): (B,), 1 for each that is as good as can be."""


@dataclass(frozen=True)
class Alternative:
    """Another way to show a teacher examples.

    Attributes:
        option: What a user writes to ask for it.
        good: How good the answers are then, on average.
        outputs: These answers, (N, width).
        index: Which examples of search-validation they answer, (N,).
    """

    option: str
    good: float
    outputs: Tensor
    index: Tensor


def better_input(
    teacher: Teacher, task: Task, index: Tensor, outputs: Tensor, judge: Judge, seconds: float
) -> Alternative | None:
    """The usual input under which a teacher answers best, if that is beyond noise and worth saying.

    What the modality knows as usual is tried, on up to 256 examples.

    Args:
        teacher: Who is asked, where it is.
        task: Its search-validation examples.
        index: Which of these the teacher was asked about (N,).
        outputs: What it answered (N, width).
        judge: How good answers are.
        seconds: After which no other is tried. Where the teacher was not asked about all examples in its time, each of
            the others is asked about fewer, so that all have their turn.
    """
    inner = teacher.inner if isinstance(teacher, TransformedTeacher) else teacher
    now = teacher.transform if isinstance(teacher, TransformedTeacher) else None
    others = task.modality.alternatives(now, inner.signature.input)
    again = min(_EXAMPLES, len(index) if len(index) == len(task.validation) else len(index) // max(1, len(others)))
    index = index[:again]
    labels = task.validation.labels[index].cpu()
    good = judge(outputs[:again], labels)
    if len(index) < _FEWEST or 1 - float(good.mean()) < _WORTH:
        return None
    began, best = time.monotonic(), None
    for option, transform in others:
        if time.monotonic() - began > seconds:
            break
        examples = task.modality.prepare(task.validation.inputs[index].to(teacher.device))
        shown = TransformedTeacher(inner, transform, task.modality.input)
        try:
            answers = shown.outputs(examples).logits.cpu()
        except Exception:  # a network that does not take this size raises anything
            continue
        gain = judge(answers, labels) - good
        needed = max(_WORTH, _SURE * float(gain.std()) / math.sqrt(len(gain)))
        share = float(good.mean() + gain.mean())
        if float(gain.mean()) > needed and (best is None or share > best.good):
            best = Alternative(option, share, answers, index)
    return best
