"""A file of weights and the student whose weights they are."""

from __future__ import annotations

from pathlib import Path

from automl_kd.core import Signature
from automl_kd.recipes import Student
from automl_kd.students import build
from automl_kd.students.checkpoint import load_weights
from automl_kd.tasks import BroughtTeacher, Card, Task
from automl_kd.teachers.answers import Opened
from automl_kd.teachers.form import TEACHER_FORMS, Source, TeacherForm
from automl_kd.teachers.module import module_teacher


class CheckpointTeacher(BroughtTeacher):
    """Weights in a file of torch or safetensors, and the architecture that they belong to."""

    checkpoint: str
    student: Student


def look(spec: CheckpointTeacher, task: Task) -> Source:
    form = f"checkpoint {spec.checkpoint}"

    def opened(signature: Signature) -> Opened:
        module = build(spec.student, signature)
        shape, width = signature.input.shape, signature.output.width
        fitted = f"{spec.student.family} for task {task.name} (input {shape}, {width} outputs)"
        where, warnings = load_weights(module, Path(spec.checkpoint).expanduser(), fitted)
        words = f"{form}, weights {where}" if where else form
        return Opened(module_teacher(module, signature), words, warnings=warnings)

    return Source(Card(), form, opened)


TEACHER_FORMS.add(
    "checkpoint",
    TeacherForm(
        CheckpointTeacher,
        look,
        "{checkpoint: FILE, student: …}",
        endings=(".pt", ".pth", ".safetensors", ".ckpt", ".bin", ".pt.tar", ".pth.tar"),
        architecture=True,
    ),
)
