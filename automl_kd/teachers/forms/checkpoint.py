"""A file of weights and the student whose weights they are."""

from __future__ import annotations

from pathlib import Path

from automl_kd.core import Signature, UserError
from automl_kd.recipes import Start, Student, StudentPart
from automl_kd.students import build, checkpoint
from automl_kd.tasks import BroughtTeacher, Task, TeacherInput
from automl_kd.teachers.answers import Opened
from automl_kd.teachers.form import OTHER_CLASSES, TEACHER_FORMS, Source, TeacherForm
from automl_kd.teachers.module import module_teacher
from automl_kd.teachers.seen import student_card


class CheckpointTeacher(BroughtTeacher):
    """Weights in a file of torch or safetensors, and the architecture that they belong to."""

    checkpoint: str
    student: Student


def look(spec: CheckpointTeacher, task: Task) -> Source:
    form = f"checkpoint {spec.checkpoint}"
    path = Path(spec.checkpoint).expanduser()

    def opened(signature: Signature) -> Opened:
        module = build(spec.student, signature)
        shape, width = signature.input.shape, signature.output.width
        fitted = f"{spec.student.family} for task {task.name} (input {shape}, {width} outputs)"
        try:
            where, warnings = checkpoint.load_weights(module, path, fitted)
        except checkpoint.UnfitWeightsError as error:
            raise UserError(f"{error} ({OTHER_CLASSES})") from None
        words = f"{form}, weights {where}" if where else form
        return Opened(module_teacher(module, signature), words, warnings=warnings)

    return Source(student_card(spec.student, task), form, opened)


def student(spec: CheckpointTeacher, task: Task) -> StudentPart:
    """The architecture, which starts from the file and sees images as the user says, or as its recipe does."""
    said, before = spec.input or TeacherInput(), spec.student.start
    mean, std = (said.mean, said.std) if before is None or said.mean else (before.mean, before.std)
    sides = {said.size} if isinstance(said.size, int) else set(said.size or ())
    if len(sides) > 1:
        raise UserError(
            f"teacher.input.size: {said.size}: a {spec.student.family} is fine-tuned on squares: say one number"
        )
    start = Start(weights=spec.checkpoint, mean=mean, std=std)
    side = next(iter(sides), spec.student.resolution)
    shown = {} if side is None else {"resolution": side}
    return spec.student.model_copy(update={"start": start, **shown})


TEACHER_FORMS.add(
    "checkpoint",
    TeacherForm(
        CheckpointTeacher,
        look,
        "{checkpoint: FILE, student: …}",
        endings=(".pt", ".pth", ".safetensors", ".ckpt", ".bin", ".pt.tar", ".pth.tar"),
        architecture=True,
        student=student,
    ),
)
