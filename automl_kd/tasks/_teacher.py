"""What a task says of its teacher: trained here, a checkpoint of a known architecture, or an ONNX file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import Discriminator, Field, Tag, TypeAdapter

from automl_kd.errors import UserError
from automl_kd.recipes import Part, Student, Train, parse_text, validate

CHECKPOINT_ENDINGS = (".pt", ".pth", ".safetensors")


class TeacherTraining(Part):
    """A network of a student family, trained on the task's labels alone."""

    student: Student
    train: Train
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0


class TrainedTeacher(Part):
    """A teacher that is trained once on the task."""

    train: TeacherTraining


class CheckpointTeacher(Part):
    """Weights in a file (``.pt``, ``.pth`` or ``.safetensors``) and the architecture that they belong to."""

    checkpoint: str
    student: Student


class OnnxTeacher(Part):
    """A network in ONNX: images (B, C, H, W), normalised, to logits (B, classes)."""

    onnx: str


# Tags must not be words of the document: pydantic puts them into the path of an error.
_TAGS = {"train": "trained teacher", "checkpoint": "checkpoint teacher", "onnx": "onnx teacher"}


def _form(value: Any) -> str | None:
    keys = value if isinstance(value, Mapping) else type(value).model_fields if isinstance(value, Part) else ()
    return next((tag for field, tag in _TAGS.items() if field in keys), None)


TeacherSpec = Annotated[
    Annotated[TrainedTeacher, Tag(_TAGS["train"])]
    | Annotated[CheckpointTeacher, Tag(_TAGS["checkpoint"])]
    | Annotated[OnnxTeacher, Tag(_TAGS["onnx"])],
    Discriminator(
        _form,
        custom_error_type="teacher_form",
        custom_error_message="a teacher is {train: …}, {checkpoint: FILE, student: …} or {onnx: FILE}",
    ),
]

_SPEC: TypeAdapter[TrainedTeacher | CheckpointTeacher | OnnxTeacher] = TypeAdapter(TeacherSpec)


def parse_teacher(text: str) -> CheckpointTeacher | OnnxTeacher:
    """A teacher given in one line.

    ``teacher.onnx`` stands for itself. A checkpoint is followed by ``@`` and its architecture, written as the
    ``student`` part of a recipe: ``teacher.pt@{family: resnet, depth: 20}``.

    Raises:
        UserError: If the ending is unknown, or the architecture is missing or no student of a recipe.
    """
    file, at, architecture = text.partition("@{")
    ending = Path(file).suffix.lower()
    if ending == ".onnx" and not at:
        return OnnxTeacher(onnx=file)
    if ending not in CHECKPOINT_ENDINGS:
        allowed = "FILE.onnx" if ending == ".onnx" else f"a file ending in .onnx, {', '.join(CHECKPOINT_ENDINGS)}"
        raise UserError(f"teacher {text!r}: should be {allowed}")
    if not at:
        raise UserError(
            f"teacher {text!r}: a checkpoint needs its architecture, for example {file}@{{family: resnet, depth: 20}}"
        )
    student = parse_text("{" + architecture, f"teacher {text!r}")
    spec = validate(_SPEC, {"checkpoint": file, "student": student}, f"teacher {text!r}")
    assert isinstance(spec, CheckpointTeacher)
    return spec


def relative_to(folder: Path, spec: TrainedTeacher | CheckpointTeacher | OnnxTeacher) -> TeacherSpec:
    """The spec with its file, where it names one, looked for in ``folder``."""
    match spec:
        case CheckpointTeacher():
            return spec.model_copy(update={"checkpoint": str(folder / Path(spec.checkpoint).expanduser())})
        case OnnxTeacher():
            return spec.model_copy(update={"onnx": str(folder / Path(spec.onnx).expanduser())})
        case _:
            return spec
