"""From the recipe's student part to a plan, and from a plan to a module."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import TypeAdapter
from torch import Tensor, nn

from automl_kd.core import IMAGE_AXES, Range, Signature, UserError
from automl_kd.recipes import Student, StudentPart
from automl_kd.students.family import FAMILIES
from automl_kd.students.plans import Plan

_SPEC: TypeAdapter[StudentPart] = TypeAdapter(Student)


def plan(
    spec: StudentPart | Mapping[str, Any],
    signature: Signature | None = None,
    *,
    input_shape: tuple[int, ...] | None = None,
    classes: int | None = None,
    allow_code: bool = False,
) -> Plan:
    """The blocks of a student, without weights.

    Args:
        spec: The ``student`` part of a recipe, parsed or as plain data such as ``{"family": "resnet", "depth": 18}``.
        signature: What the student takes and answers, as ``Task.signature`` says; its resolution is the student's where
            that says one.
        input_shape: Instead of a signature: channels, height, width of one image, of a classifier of images.
        classes: Number of its classes.
        allow_code: Whether a model space in a file of the user's own may be loaded, which runs the file.

    Raises:
        pydantic.ValidationError: If plain data does not describe a student.
        UserError: If the family does not take such inputs; or a model space cannot be loaded, or does not fit input and
            output.
        TypeError: If neither a signature nor shape and classes are given.
    """
    if signature is None:
        if input_shape is None or classes is None:
            raise TypeError("give a signature, or input_shape and classes")
        signature = Signature.of_images(input_shape, classes)
    parsed = _SPEC.validate_python(spec)
    family = FAMILIES[parsed.family]
    if family.axes != signature.input.axes:
        fitting = [name for name, each in FAMILIES.items() if each.axes == signature.input.axes]
        raise UserError(
            f"student.family: {parsed.family} takes {_axes(family.axes)} and the task gives"
            f" {_axes(signature.input.axes)}: use {' or '.join(fitting) or 'a family that takes these'}"
        )
    return family.plan(parsed, at_resolution(parsed, signature), allow_code)


def build(
    spec: StudentPart | Mapping[str, Any],
    signature: Signature | None = None,
    *,
    input_shape: tuple[int, ...] | None = None,
    classes: int | None = None,
    allow_code: bool = False,
) -> StudentModule:
    """A freshly initialised student; ``torch.manual_seed`` decides its weights.

    Args:
        spec: As for :func:`plan`, like the rest.
        signature: What the student takes and answers.
        input_shape: Instead of a signature: channels, height, width of one image.
        classes: Number of classes.
        allow_code: Whether a model space in a file of the user's own may be loaded.

    Raises:
        pydantic.ValidationError: If plain data does not describe a student.
        UserError: As :func:`plan`.
    """
    return StudentModule(plan(spec, signature, input_shape=input_shape, classes=classes, allow_code=allow_code))


def at_resolution(spec: StudentPart, signature: Signature) -> Signature:
    """What a student takes and answers: images at its own resolution where it says one.

    Raises:
        UserError: If it says one, and takes no images.
    """
    if spec.resolution is None:
        return signature
    if signature.input.axes != IMAGE_AXES:
        raise UserError(f"student.resolution: inputs of {_axes(signature.input.axes)} have no resolution; leave it out")
    return signature.with_shape((signature.input.shape[0], spec.resolution, spec.resolution))


def _axes(axes: tuple[str, ...]) -> str:
    return f"({', '.join(axes)})"


class StudentModule(nn.Module):
    """A chain of stages: inputs (B, …) to outputs (B, width).

    Each stage of the plan is a child module of its name (``stem``, ``stage1``, …, ``head``).

    Attributes:
        ranges: Of a student that was trained with integers: the ranges of activations that it has learned, by the name
            of the tensor in its exported graph; else empty.
    """

    def __init__(self, plan: Plan) -> None:
        super().__init__()
        self.plan = plan
        self.ranges: Mapping[str, Range] = {}
        for name, stage in plan.build():
            self.add_module(name, stage)

    def stage_names(self) -> tuple[str, ...]:
        """The stages whose output can be tapped, from input to output."""
        return self.plan.stage_names()

    def forward(self, inputs: Tensor) -> Tensor:
        features = inputs
        for stage in self.children():
            features = stage(features)
        return features
