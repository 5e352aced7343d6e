"""An ONNX file."""

from __future__ import annotations

from pathlib import Path

import torch

from automl_kd.tasks import BroughtTeacher, Task
from automl_kd.teachers.form import TEACHER_FORMS, Source, TeacherForm


class OnnxTeacher(BroughtTeacher):
    """A network in ONNX from inputs (B, …), images also with their channels last, to outputs (B, width).

    Attributes:
        onnx: The file.
        output: Which of its outputs is meant, where several could be.
    """

    onnx: str
    output: str | None = None


def look(spec: OnnxTeacher, task: Task) -> Source:
    from automl_kd.onnxio import Session  # onnx takes a second, which only its users pay
    from automl_kd.teachers.onnx_card import layout_of, onnx_card
    from automl_kd.teachers.onnx_output import open_onnx

    session = Session(Path(spec.onnx).expanduser(), threads=torch.get_num_threads())
    layout = layout_of(session, task.modality.input)
    return Source(
        onnx_card(session, layout),
        f"ONNX file {spec.onnx}",
        lambda signature: open_onnx(session, layout, signature, output=spec.output, stated=spec.outputs),
    )


TEACHER_FORMS.add("onnx", TeacherForm(OnnxTeacher, look, "{onnx: FILE}", endings=(".onnx",)))
