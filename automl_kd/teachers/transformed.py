"""A teacher that was trained on other examples than the task's, such as images of another size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from automl_kd.core import Input
from automl_kd.recipes import digest
from automl_kd.students import Shape
from automl_kd.tasks import Transform
from automl_kd.teachers.teacher import Outputs, Teacher


class TransformedTeacher(Teacher):
    """Shows a teacher the task's examples as it knows them; maps and outputs are its own.

    Args:
        inner: A teacher that takes what the transform makes.
        transform: From the task's prepared examples to those.
        own: The input of the task's networks.

    Attributes:
        inner: Likewise.
        transform: Likewise.
    """

    def __init__(self, inner: Teacher, transform: Transform, own: Input) -> None:
        self.inner = inner
        self.transform = transform
        self.signature = replace(inner.signature, input=own)
        self.device = inner.device
        self.understood = inner.understood
        self.sha256 = digest({"teacher": inner.sha256, "input": transform.identity()})

    def stage_names(self) -> tuple[str, ...]:
        return self.inner.stage_names()

    def feature_shapes(self, paths: Sequence[str] | None = None) -> dict[str, Shape]:
        return self.inner.feature_shapes(paths)

    def outputs(self, inputs: Tensor, stages: Sequence[str] = ()) -> Outputs:
        with torch.no_grad():
            return self.inner.outputs(self.transform(inputs), stages)

    def head(self) -> tuple[Tensor, Tensor] | None:
        return self.inner.head()

    def input_gradients(self, inputs: Tensor) -> Tensor:
        """The inner teacher's gradients, carried through the transform by the chain rule."""
        with torch.inference_mode(False), torch.enable_grad():
            shown = inputs.detach().clone().requires_grad_()
            transformed = self.transform(shown)
            (gradients,) = torch.autograd.grad(transformed, shown, self.inner.input_gradients(transformed))
        return gradients

    def to(self, device: torch.device | str) -> Teacher:
        moved = self.inner.to(device)
        return self if moved is self.inner else TransformedTeacher(moved, self.transform, self.signature.input)
