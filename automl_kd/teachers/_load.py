"""Teachers of every form, from what a task or a user says of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from torch import nn

from automl_kd.errors import UserError
from automl_kd.students import Shape, build
from automl_kd.tasks import (
    BroughtTeacher,
    CheckpointTeacher,
    OnnxTeacher,
    ProgramTeacher,
    Task,
    TimmTeacher,
    TransformersTeacher,
)
from automl_kd.teachers._checkpoint import fill, read_checkpoint
from automl_kd.teachers._input import TransformedTeacher, transform_of
from automl_kd.teachers._module import module_teacher
from automl_kd.teachers._several import MultiTeacher
from automl_kd.teachers._store import TeacherStore, gone
from automl_kd.teachers._teacher import Teacher


@dataclass(frozen=True)
class KeptTeacher:
    """A teacher that was trained here and is kept by the hash of its weights."""

    sha256: str


LoadableTeacher = BroughtTeacher | KeptTeacher


def load_teacher(spec: LoadableTeacher | tuple[LoadableTeacher, ...], task: Task) -> Teacher:
    """A teacher from where it lies, on the CPU; several as one that gives the logits of each.

    No form runs code that a file may hold, and nothing is fetched from a network. A checkpoint is a state dict, as such
    or under ``state_dict`` or ``model``.

    Args:
        spec: Where it lies, and what is needed to understand it.
        task: What it shall teach.

    Raises:
        UserError: If the file is missing, damaged or holds code, or does not fit its architecture or the task; or if a
            package that its form needs is not installed.
    """
    if isinstance(spec, tuple):
        return MultiTeacher([load_teacher(each, task) for each in spec])
    if isinstance(spec, KeptTeacher):
        kept = TeacherStore().by_hash(spec.sha256)
        if kept is None:
            raise gone(spec.sha256)
        return kept
    if spec.input is None:
        return _load(spec, task.input_shape, task)
    transform = transform_of(spec.input, task)
    return TransformedTeacher(_load(spec, transform.after, task), transform)


def _load(spec: BroughtTeacher, shape: Shape, task: Task) -> Teacher:
    # Imports inside: onnx takes a second, the program reader and the other libraries more, which only their users pay.
    match spec:
        case CheckpointTeacher():
            module = build(spec.student, input_shape=shape, classes=task.classes)
            fitted = f"{spec.student.family} for task {task.name} (input {shape}, {task.classes} classes)"
            fill(module, read_checkpoint(Path(spec.checkpoint).expanduser()), spec.checkpoint, fitted)
            return module_teacher(module, shape, task.classes)
        case OnnxTeacher():
            from automl_kd.teachers._onnx import SessionTeacher

            return SessionTeacher(Path(spec.onnx).expanduser(), shape, task.classes)
        case ProgramTeacher():
            from automl_kd.teachers._program import program_teacher

            return program_teacher(Path(spec.program).expanduser(), shape, task.classes)
        case TimmTeacher():
            from automl_kd.teachers._timm import timm_module

            folder = Path(spec.timm).expanduser()
            return _fitting(folder, timm_module(folder, shape[0]), shape, task.classes)
        case TransformersTeacher():
            from automl_kd.teachers._transformers import transformers_module

            folder = Path(spec.transformers).expanduser()
            return _fitting(folder, transformers_module(folder), shape, task.classes)
    raise AssertionError(f"unknown form {type(spec).__name__}")


def _fitting(folder: Path, module: nn.Module, shape: Shape, classes: int) -> Teacher:
    """A module that is what it is, whatever the task: where it does not fit, the folder is named."""
    try:
        return module_teacher(module, shape, classes)
    except UserError as error:
        hint = "trained on other images, it needs input: {size: …, channels: …, mean: […], std: […]} beside it"
        raise UserError(f"{folder}: {error} ({hint})") from None
