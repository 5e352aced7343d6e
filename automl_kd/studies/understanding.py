"""What was understood of a task and its teacher, told before anything is learned."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch

from automl_kd.delivery import teacher_rows, understood_rows
from automl_kd.distillation import ExpectedTeacher, training_words
from automl_kd.tasks import DataReading, Task
from automl_kd.teachers import Teacher, TeacherReading, read_teacher


@dataclass(frozen=True)
class Understanding:
    """What was read of a task and its teacher.

    Attributes:
        task: The task's name.
        metric: The name of the metric that students are compared by.
        data: What was read of the data.
        status: ``brought by the user``, ``kept from before`` or ``to be trained``; None where nobody teaches.
        training: What is to be trained first, in words; empty where nothing is.
        teachers: What was found out about each teacher, empty as long as one is to be trained.
        chosen: The search space that the task was given, and why; empty where the user named one or none is searched.
        ships: The form that students are made to ship in, and why; empty where the search space says it.
        space: What of the search space does not suit the task or the device, a line each.
    """

    task: str
    metric: str
    data: DataReading
    status: str | None
    training: str = ""
    teachers: tuple[TeacherReading, ...] = ()
    chosen: str = ""
    ships: str = ""
    space: tuple[str, ...] = ()

    @classmethod
    def of(cls, task: Task) -> Understanding:
        """A task's data alone."""
        return cls(task.name, task.metric.name, task.reading, None)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is odd, a line each with its remedy."""
        return (*self.data.warnings, *(line for reading in self.teachers for line in reading.warnings), *self.space)

    def document(self) -> dict[str, Any]:
        """As ``--json`` prints it and a study keeps it."""
        teacher: dict[str, Any] | None = None
        if self.status is not None:
            members = [reading.document() for reading in self.teachers]
            teacher = {"status": self.status, "training": self.training or None, "members": members}
        return {
            "task": self.task,
            "metric": self.metric,
            "data": self.data.document(),
            "teacher": teacher,
            **({"space": self.chosen} if self.chosen else {}),
            **({"ships": self.ships} if self.ships else {}),
            "warnings": list(self.warnings),
        }

    def lines(self) -> list[str]:
        """The same for people."""
        return _aligned(understood_rows(self.document()))

    def teacher_lines(self) -> list[str]:
        """Those of the lines that tell of the teacher."""
        warnings = [("warning", line) for reading in self.teachers for line in reading.warnings]
        return _aligned(teacher_rows(self.document()["teacher"]) + warnings)


def understand(task: Task, expected: ExpectedTeacher | None, device: torch.device) -> Understanding:
    """Look at a task and, as far as it is there, at its teacher.

    Args:
        task: What is learned.
        expected: Its teacher, None where nobody teaches.
        device: Where the teacher is asked.

    Raises:
        UserError: If nothing can be learned from the teacher.
    """
    data = Understanding.of(task)
    if expected is None:
        return data
    if expected.resolved is None:
        return replace(data, status=expected.status, training="; ".join(map(training_words, expected.missing)))
    return with_teacher(data, task, expected.resolved.teacher, device, expected.status)


def with_teacher(
    data: Understanding, task: Task, teacher: Teacher, device: torch.device, status: str = "trained here"
) -> Understanding:
    """What was understood, with a teacher that is there now.

    Args:
        data: What was understood of the task.
        task: What is learned.
        teacher: The teacher.
        device: Where it is asked.
        status: Where it comes from.

    Raises:
        UserError: If nothing can be learned from it.
    """
    return replace(data, status=status, training="", teachers=read_teacher(teacher, task, device=device))


def _aligned(rows: Sequence[tuple[str, str]]) -> list[str]:
    width = max(len(title) for title, _ in rows)
    return [f"{title.ljust(width)}  {text}" for title, text in rows]
