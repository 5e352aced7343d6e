"""A brought network without its classifier: to be fine-tuned on a task, or asked for its features alone."""

from __future__ import annotations

import torch

from automl_kd.core import UserError
from automl_kd.recipes import StudentPart
from automl_kd.students import HEAD, Brought, build, pinned, start
from automl_kd.tasks import BroughtTeacher, Task, place_of
from automl_kd.teachers.form import form_for
from automl_kd.teachers.module import module_teacher
from automl_kd.teachers.seen import shown_as_student
from automl_kd.teachers.teacher import Teacher, Understood

_PLACE = "student.start.weights: "


def student_of(spec: BroughtTeacher, task: Task) -> StudentPart:
    """The student that a brought network is up to its classifier, with the weights that it starts from.

    Args:
        spec: What the user says of it; how it was trained on other images is in the student.
        task: What it learns, or teaches.

    Raises:
        UserError: If its form gives outputs only; or the file or folder is missing, damaged, or no network.
    """
    name, form = form_for(spec, task)
    if form.student is None:
        option = "fine_tune" if spec.use is None else "use: features"
        raise UserError(
            f"teacher {{{name}: {getattr(spec, name)}}}: {option} needs a network that is a checkpoint, or a folder of"
            " timm or transformers; leave it out, or bring it as one of these"
        )
    return form.student(spec, task)


def open_encoder(spec: BroughtTeacher, task: Task) -> Teacher:
    """A teacher that shows its maps and answers nothing.

    Args:
        spec: A teacher with ``use: features``.
        task: What it teaches.

    Raises:
        UserError: As :func:`student_of`; or if the weights are those of another architecture.
    """
    student = student_of(spec, task)
    try:
        student = pinned(student, task.signature)
        signature = task.at(student).signature
        with torch.random.fork_rng(devices=[]):
            module = build(student, signature)
        inherited = start(module, student, signature)
    except UserError as error:
        raise UserError(f"teacher {str(error).removeprefix(_PLACE)}") from None
    assert inherited is not None  # form.student says what it starts from
    with torch.no_grad():
        for weight in module.get_submodule(HEAD).parameters():
            weight.zero_()  # it says nothing, and must not decide the hash
    teacher = module_teacher(module, signature.with_width(0))
    teacher.understood = Understood(
        form=f"features of {place_of(spec)} ({inherited.words})",
        input=student.shown if isinstance(student, Brought) else None,
        classes="none: only its features are used",
        outputs="none",
    )
    return shown_as_student(teacher, student, task)
