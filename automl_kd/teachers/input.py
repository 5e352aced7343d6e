"""A teacher that was trained on images of another size, colour or normalisation than the task's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import torch
from torch import Tensor
from torch.nn import functional

from automl_kd.core import UserError
from automl_kd.recipes import digest
from automl_kd.students import Shape
from automl_kd.tasks import Task, TeacherInput
from automl_kd.teachers.teacher import Outputs, Teacher

Statistics = tuple[tuple[float, ...], tuple[float, ...]]
"""Mean and standard deviation by channel, of values in [0, 1]."""


@dataclass(frozen=True)
class Transform:
    """From the task's normalised images (B, C, H, W) to a teacher's, every step differentiable.

    Attributes:
        before: Channels, height, width of the task's images.
        after: Channels, height, width of the teacher's.
        undone: Statistics by which the task normalises, None where its normalisation stays.
        normalized: Statistics by which the teacher's images were normalised, None where the task's normalisation stays.
    """

    before: Shape
    after: Shape
    undone: Statistics | None
    normalized: Statistics | None

    def __call__(self, images: Tensor) -> Tensor:
        """The task's normalisation undone, a grey channel repeated, resized, normalised as the teacher was trained."""
        if self.undone is not None:
            mean, std = (_by_channel(values, images) for values in self.undone)
            images = images * std + mean
        images = images.expand(-1, self.after[0], -1, -1)
        if self.after[1:] != self.before[1:]:
            images = functional.interpolate(images, self.after[1:], mode="bilinear", align_corners=False)
        if self.normalized is not None:
            mean, std = (_by_channel(values, images) for values in self.normalized)
            images = (images - mean) / std
        return images


def transform_of(spec: TeacherInput, task: Task) -> Transform:
    """What turns a task's images into those that a teacher was trained on.

    Raises:
        UserError: If the task's images cannot be turned into them.
    """
    channels, height, width = task.input_shape
    by_mean = None if spec.mean is None else len(spec.mean)
    wanted = spec.channels or by_mean or channels
    if channels not in (wanted, 1):
        raise UserError(
            f"the teacher takes images of {wanted} channels, task {task.name} has images of {channels}: only grey ones"
            " are repeated"
        )
    if by_mean not in (None, wanted):
        raise UserError(f"teacher.input.mean: has {by_mean} values; {wanted} channels need one each")
    size = (height, width) if spec.size is None else (spec.size, spec.size) if isinstance(spec.size, int) else spec.size
    return Transform(
        before=task.input_shape,
        after=(wanted, *size),
        undone=None if spec.mean is None else (task.mean, task.std),
        normalized=None if spec.mean is None or spec.std is None else (spec.mean, spec.std),
    )


class TransformedTeacher(Teacher):
    """Shows a teacher the task's images as it knows them; maps and logits are its own.

    Args:
        inner: A teacher that takes images of the shape ``transform.after``.
        transform: From the task's images to those.

    Attributes:
        inner: Likewise.
        transform: Likewise.
    """

    def __init__(self, inner: Teacher, transform: Transform) -> None:
        self.inner = inner
        self.transform = transform
        self.input_shape = transform.before
        self.classes = inner.classes
        self.device = inner.device
        self.understood = inner.understood
        self.sha256 = digest({"teacher": inner.sha256, "input": asdict(transform)})

    def stage_names(self) -> tuple[str, ...]:
        return self.inner.stage_names()

    def feature_shapes(self, paths: Sequence[str] | None = None) -> dict[str, Shape]:
        return self.inner.feature_shapes(paths)

    def outputs(self, images: Tensor, stages: Sequence[str] = ()) -> Outputs:
        with torch.no_grad():
            return self.inner.outputs(self.transform(images), stages)

    def head(self) -> tuple[Tensor, Tensor] | None:
        return self.inner.head()

    def input_gradients(self, images: Tensor) -> Tensor:
        """The inner teacher's gradients, carried through the transform by the chain rule."""
        with torch.inference_mode(False), torch.enable_grad():
            shown = images.detach().clone().requires_grad_()
            transformed = self.transform(shown)
            (gradients,) = torch.autograd.grad(transformed, shown, self.inner.input_gradients(transformed))
        return gradients

    def to(self, device: torch.device | str) -> Teacher:
        moved = self.inner.to(device)
        return self if moved is self.inner else TransformedTeacher(moved, self.transform)


def _by_channel(values: tuple[float, ...], images: Tensor) -> Tensor:
    return torch.tensor(values, device=images.device).view(-1, 1, 1)
