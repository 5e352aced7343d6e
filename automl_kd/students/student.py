"""From the recipe's student part to a plan, and from a plan to a module."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pydantic import TypeAdapter
from torch import Tensor, nn

from automl_kd.recipes import MobileNet, ModelSpace, ResNet, Student
from automl_kd.students import mobilenet, nni, resnet
from automl_kd.students.plans import Plan, Shape

_FAMILIES: Mapping[type, Callable[[Any, Shape, int], Plan]] = {ResNet: resnet.plan, MobileNet: mobilenet.plan}
_SPEC: TypeAdapter[ResNet | MobileNet | ModelSpace] = TypeAdapter(Student)


def plan(
    spec: ResNet | MobileNet | ModelSpace | Mapping[str, Any],
    *,
    input_shape: Shape,
    classes: int,
    allow_code: bool = False,
) -> Plan:
    """The blocks of a student, without weights.

    Args:
        spec: The ``student`` part of a recipe, parsed or as plain data such as ``{"family": "resnet", "depth": 18}``.
        input_shape: Channels, height, width of one image.
        classes: Number of logits.
        allow_code: Whether a model space in a file of the user's own may be loaded, which runs the file.

    Raises:
        pydantic.ValidationError: If plain data does not describe a student.
        UserError: If a model space cannot be loaded, or does not fit input and classes.
    """
    parsed = _SPEC.validate_python(spec) if isinstance(spec, Mapping) else spec
    if isinstance(parsed, ModelSpace):
        return nni.plan(parsed, input_shape, classes, allow_code=allow_code)
    return _FAMILIES[type(parsed)](parsed, input_shape, classes)


def build(
    spec: ResNet | MobileNet | ModelSpace | Mapping[str, Any],
    *,
    input_shape: Shape,
    classes: int,
    allow_code: bool = False,
) -> StudentModule:
    """A freshly initialised student; ``torch.manual_seed`` decides its weights.

    Args:
        spec: As for :func:`plan`.
        input_shape: Channels, height, width of one image.
        classes: Number of logits.
        allow_code: As for :func:`plan`.

    Raises:
        pydantic.ValidationError: If plain data does not describe a student.
        UserError: As :func:`plan`.
    """
    return StudentModule(plan(spec, input_shape=input_shape, classes=classes, allow_code=allow_code))


class StudentModule(nn.Module):
    """A chain of stages. Images (B, C, H, W) to logits (B, classes).

    Each stage of the plan is a child module of its name (``stem``, ``stage1``, …, ``head``).
    """

    def __init__(self, plan: Plan) -> None:
        super().__init__()
        self.plan = plan
        for name, blocks in plan.stages:
            self.add_module(name, nn.Sequential(*(block.build() for block in blocks)))

    def stage_names(self) -> tuple[str, ...]:
        """The stages whose output can be tapped, from input to output."""
        return self.plan.stage_names()

    def forward(self, images: Tensor) -> Tensor:
        features = images
        for stage in self.children():
            features = stage(features)
        return features
