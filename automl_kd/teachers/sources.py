"""Where teachers come from: what each form says of itself, and how it is opened."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from automl_kd.core import UserError
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
from automl_kd.teachers.answers import Opened, OpenedTeacher
from automl_kd.teachers.card import Card
from automl_kd.teachers.checkpoint import load_weights
from automl_kd.teachers.module import module_teacher


@dataclass(frozen=True)
class Source:
    """A teacher's file or folder, looked at and not yet opened.

    Attributes:
        card: What it says of itself.
        form: What it is, in words.
        open: Opens it, for images of a shape and a number of outputs. Raises UserError where it does not fit them.
    """

    card: Card
    form: str
    open: Callable[[Shape, int], Opened]


def source_of(spec: BroughtTeacher, task: Task) -> Source:
    """The source of a teacher of any form.

    Args:
        spec: What the user says of it.
        task: What it shall teach.

    Raises:
        UserError: If it is missing or damaged, or a package that its form needs is not installed.
    """
    # Imports inside: onnx takes a second, the program reader and the other libraries more, which only their users pay.
    match spec:
        case CheckpointTeacher():
            return _checkpoint(spec, task)
        case OnnxTeacher():
            return _onnx(spec, task)
        case ProgramTeacher():
            from automl_kd.teachers.program import open_program

            return Source(Card(), f"program {spec.program}", lambda shape, outputs: open_program(spec, shape, outputs))
        case TimmTeacher():
            from automl_kd.teachers.timm import timm_folder

            timm = timm_folder(Path(spec.timm).expanduser())
            form = f"folder of timm {spec.timm}: {timm.name}"
            return _folder(timm.folder, timm.card, form, lambda shape: timm.module(shape[0]))
        case TransformersTeacher():
            from automl_kd.teachers.transformers import transformers_card, transformers_module

            folder, form = Path(spec.transformers).expanduser(), f"folder of transformers {spec.transformers}"
            return _folder(folder, transformers_card(folder), form, lambda _: transformers_module(folder))
    raise AssertionError(f"unknown form {type(spec).__name__}")


def _checkpoint(spec: CheckpointTeacher, task: Task) -> Source:
    form = f"checkpoint {spec.checkpoint}"

    def opened(shape: Shape, outputs: int) -> Opened:
        module = build(spec.student, input_shape=shape, classes=outputs)
        fitted = f"{spec.student.family} for task {task.name} (input {shape}, {outputs} classes)"
        where, warnings = load_weights(module, Path(spec.checkpoint).expanduser(), fitted)
        return Opened(
            module_teacher(module, shape, outputs), f"{form}, weights {where}" if where else form, warnings=warnings
        )

    return Source(Card(), form, opened)


def _onnx(spec: OnnxTeacher, task: Task) -> Source:
    from automl_kd.onnxio import Session
    from automl_kd.teachers.onnx_card import layout_of, onnx_card
    from automl_kd.teachers.onnx_output import open_onnx

    session = Session(Path(spec.onnx).expanduser(), threads=torch.get_num_threads())
    layout = layout_of(session, task.input_shape)
    return Source(
        onnx_card(session, layout),
        f"ONNX file {spec.onnx}",
        lambda shape, outputs: open_onnx(spec, session, layout, shape, outputs),
    )


def _folder(folder: Path, card: Card, form: str, module: Callable[[Shape], nn.Module]) -> Source:
    return Source(card, form, lambda shape, outputs: Opened(_fitting(folder, module(shape), shape, outputs), form))


def _fitting(folder: Path, module: nn.Module, shape: Shape, classes: int) -> OpenedTeacher:
    """A module that is what it is, whatever the task: where it does not fit, the folder is named."""
    try:
        return module_teacher(module, shape, classes)
    except UserError as error:
        hint = (
            "trained on other images, it needs input: {size: …, channels: …, mean: […], std: […]} beside it, and for"
            " more classes than the task's, classes: [NAMES]"
        )
        raise UserError(f"{folder}: {error} ({hint})") from None
