"""Inputs that need no random numbers, in float64."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from automl_kd.core import Signature
from automl_kd.distillation import BuildContext
from automl_kd.students import ResNet
from automl_kd.tasks import Multiclass

_GOLDENS = Path(__file__).resolve().parents[3] / "shared" / "data" / "loss_goldens.json"


def det(shape: tuple[int, ...], a: float, b: float, scale: float = 2.0) -> Tensor:
    i = torch.arange(math.prod(shape), dtype=torch.float64)
    return (scale * torch.sin(a * i + b) + 0.3 * torch.cos(0.37 * a * i * i.sqrt())).reshape(shape)


ZS, ZT, Y = det((4, 10), 0.7, 0.1), det((4, 10), 0.9, 0.5, 3), torch.tensor([1, 3, 0, 7])
FS, FT, SMALL = det((4, 6, 8, 8), 0.13, 0.2), det((4, 6, 8, 8), 0.17, 0.9), det((4, 10, 4, 4), 0.19, 0.4)
ES, ET = det((4, 16), 0.23, 0.3), det((4, 16), 0.29, 0.8)
STUDENT = ResNet(family="resnet", depth=8)
CLASSES = Multiclass(tuple("abcdefghij"))
FS1, FT1 = det((4, 6, 4, 4), 0.31, 0.2), det((4, 6, 4, 4), 0.37, 0.9)


def before_a_run(
    shape: tuple[int, ...] = (3, 8, 8), *, examples: int = 40, head: tuple[Tensor, Tensor] | None = None
) -> BuildContext:
    """What a loss knows before a run, of images of a shape in ten classes."""
    return BuildContext(STUDENT, Signature.of_images(shape, 10), CLASSES, examples, head, torch.channels_last)


def assert_agrees(name: str, loss: Callable[[Tensor], Tensor], student: Tensor) -> None:
    """Hold a loss of the student alone to the value and gradient norm of a reference implementation.

    Skips where the reference values are not beside the checkout.
    """
    if not _GOLDENS.is_file():
        pytest.skip("the reference values ../shared/data/loss_goldens.json are not beside this checkout")
    expected = json.loads(_GOLDENS.read_text())[name]
    s = student.clone().requires_grad_()
    value = loss(s)
    value.backward()
    assert value.item() == pytest.approx(expected["value"], rel=1e-9)
    assert s.grad.norm().item() == pytest.approx(expected["grad_l2"], rel=1e-7)
