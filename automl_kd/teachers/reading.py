"""What a teacher is found to be before anything is learned from it: as what it was opened, how good its answers are."""

from __future__ import annotations

import time

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from automl_kd.core import UserError
from automl_kd.tasks import Task
from automl_kd.teachers.rating import EncoderReading, TeacherReading, rate
from automl_kd.teachers.rating_classes import rate_classes
from automl_kd.teachers.teacher import Teacher

_MOST = 2_000
_FIRST, _BATCH = 8, 32  # a large network takes seconds for an example


def read_teacher(
    teacher: Teacher, task: Task, *, device: torch.device | str = "cpu", seconds: float = 10.0
) -> tuple[TeacherReading, ...]:
    """Ask a teacher about examples of search-validation; several teachers are asked each for itself.

    Args:
        teacher: Who is asked.
        task: What it shall teach. Up to 2,000 examples of its search-validation split are asked, in an order of which
            every beginning holds the problem's groups, such as classes, in their proportions.
        device: Where it is asked.
        seconds: After which no further examples are asked, for all teachers together; as long again may be spent on
            trying other ways to show it examples where it is often wrong.

    Returns:
        One reading a teacher, in their order; those that answer nothing are not asked.

    Raises:
        UserError: If a teacher's outputs are not finite numbers.
    """
    members = teacher.to(device).alone
    who = ["teacher"] if len(members) == 1 else [f"teacher {number}" for number in range(1, len(members) + 1)]
    return tuple(_read(each, member, task, seconds / len(members)) for each, member in zip(who, members, strict=True))


def _read(who: str, teacher: Teacher, task: Task, seconds: float) -> TeacherReading:
    if teacher.headless:
        return EncoderReading.of(who, teacher, task)
    groups, _ = task.problem.strata(task.validation.labels)
    order, ranks = _proportional(groups)
    outputs = _outputs(who, teacher, task, order, seconds)
    asked = order[: len(outputs)]
    if task.problem.meaning == "categorical":
        return rate_classes(who, teacher, task, torch.from_numpy(asked), outputs, ranks[asked] % 2 == 0, seconds)
    return rate(who, teacher, task, torch.from_numpy(asked), outputs, seconds)


def _proportional(groups: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Up to 2,000 positions, every beginning with the groups in proportion; each example's rank in its group."""
    ranks, places = np.zeros(len(groups), np.int64), np.zeros(len(groups))
    for group in np.unique(groups):
        members = np.flatnonzero(groups == group)
        ranks[members] = np.arange(len(members))
        places[members] = (np.arange(len(members)) + 0.5) / len(members)
    return np.argsort(places, kind="stable")[:_MOST], ranks


def _outputs(who: str, teacher: Teacher, task: Task, order: NDArray[np.int64], seconds: float) -> Tensor:
    """What a teacher answers (N, width), for as many examples as the time allows, at least one batch."""
    began = time.monotonic()
    answers: list[Tensor] = []
    first, rest = torch.from_numpy(order[:_FIRST]), torch.from_numpy(order[_FIRST:])
    for index in (first, *(torch.split(rest, _BATCH) if len(rest) else ())):
        if answers and time.monotonic() - began > seconds:
            break
        examples = task.validation.inputs[index].to(teacher.device)
        outputs = teacher.outputs(task.modality.prepare(examples)).logits
        if not bool(outputs.isfinite().all()):
            raise UserError(
                f"{who}, {teacher.understood.form}: its outputs for {task.modality.noun}s of search-validation are"
                " infinite or not a number, and nothing can be learned from them (a network in half precision may have"
                " overflowed)"
            )
        answers.append(outputs.cpu())
    return torch.cat(answers)
