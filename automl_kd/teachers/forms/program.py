"""A program of ``torch.export``."""

from __future__ import annotations

from pathlib import Path

from automl_kd.core import Signature
from automl_kd.tasks import BroughtTeacher, Card, Task
from automl_kd.teachers.answers import Opened
from automl_kd.teachers.form import TEACHER_FORMS, Source, TeacherForm


class ProgramTeacher(BroughtTeacher):
    """A program that ``torch.export.save`` wrote, from prepared inputs (B, …) to outputs (B, width)."""

    program: str


def look(spec: ProgramTeacher, task: Task) -> Source:
    form = f"program {spec.program}"

    def opened(signature: Signature) -> Opened:
        from automl_kd.teachers.program import open_program  # its reader takes a second, which only its users pay

        teacher, readout = open_program(Path(spec.program).expanduser(), signature)
        return Opened(teacher, form, readout if spec.outputs is None else None)

    return Source(Card(), form, opened)


TEACHER_FORMS.add("program", TeacherForm(ProgramTeacher, look, "{program: FILE}", endings=(".pt2",)))
