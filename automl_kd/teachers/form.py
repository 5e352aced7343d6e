"""What a form of teachers is: a part of the task file, and how a file or folder of it is looked at and opened."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from automl_kd.core import Registry, Signature, UserError
from automl_kd.recipes import StudentPart
from automl_kd.tasks import TEACHER_FORMS as TASKS_TEACHER_FORMS
from automl_kd.tasks import BroughtTeacher, Card, Task
from automl_kd.teachers.answers import Opened


@dataclass(frozen=True)
class Source:
    """A teacher's file or folder, looked at and not yet opened.

    Attributes:
        card: What it says of itself.
        form: What it is, in words.
        open: Opens it, for the inputs of a signature and as many outputs. Raises UserError where it does not fit them.
    """

    card: Card
    form: str
    open: Callable[[Signature], Opened]


OTHER_CLASSES = (
    "where it knows other classes, or none, say fine_tune: {} to train it on the task first, or use: features to learn"
    " from its maps alone"
)
"""What a user does about a teacher whose classes are not the task's."""


@dataclass(frozen=True)
class TeacherForm:
    """A form of teachers that a user brings.

    Attributes:
        part: Its part of a task file; the field that the form is registered by holds the file or folder.
        look: ``(part, task)`` to the source of the teacher, what imports much only when it is called. Raises UserError
            if the file is missing or damaged, or a package that the form needs is not installed.
        example: How a task file writes one: ``{onnx: FILE}``.
        endings: Endings of files that stand for themselves on the command line.
        architecture: Whether such a file is followed by ``@`` and the student whose weights it holds, which the part
            then has as ``student``.
        axes: Of the inputs that such teachers take; None where they may be any.
        student: ``(part, task)`` to the student that the network is up to its classifier, with the weights that it
            starts from, so that it can be fine-tuned or asked for its features; None where only outputs are known.
    """

    part: type[BroughtTeacher]
    look: Callable[[Any, Task], Source]
    example: str
    endings: tuple[str, ...] = ()
    architecture: bool = False
    axes: tuple[str, ...] | None = None
    student: Callable[[Any, Task], StudentPart] | None = None


TEACHER_FORMS: Registry[TeacherForm] = TASKS_TEACHER_FORMS  # type: ignore[assignment]  # this room fills it, with forms
"""The forms by the field of a task file that names the file or folder."""


def form_for(spec: BroughtTeacher, task: Task) -> tuple[str, TeacherForm]:
    """The form of a brought teacher, and the field that it is registered by.

    Args:
        spec: What the user says of it.
        task: What it shall teach.

    Raises:
        UserError: If such teachers cannot take the task's inputs.
    """
    name, form = next((name, form) for name, form in TEACHER_FORMS.items() if isinstance(spec, form.part))
    own = task.modality.input.axes
    if form.axes not in (None, own):
        raise UserError(
            f"teacher {{{name}: {getattr(spec, name)}}}: takes inputs of {' x '.join(form.axes or ())}, and task"
            f" {task.name} has {task.modality.noun}s of {' x '.join(own)}"
        )
    return name, form


def source_of(spec: BroughtTeacher, task: Task) -> Source:
    """The source of a teacher of any form.

    Args:
        spec: What the user says of it.
        task: What it shall teach.

    Raises:
        UserError: If it is missing or damaged, cannot take the task's inputs, or needs a package that is not installed.
    """
    _, form = form_for(spec, task)
    return form.look(spec, task)
