"""Gradients with respect to the input (Srinivas & Fleuret 2018, arXiv:1803.00443)."""

from __future__ import annotations

import torch
from torch import Tensor

from automl_kd.distillation.losses.inputs import GRADIENTS
from automl_kd.distillation.losses.spec import CATEGORICAL, LOSS_SPECS, LossSpec, StepContext
from automl_kd.distillation.losses.tensors import full_precision
from automl_kd.recipes.losses import Loss


class GradientMatching(Loss):
    """Gradients with respect to the input (Srinivas & Fleuret 2018, arXiv:1803.00443)."""


def gradient_matching(s_gradient: Tensor, t_gradient: Tensor) -> Tensor:
    """Mean over the batch of ‖g_s / ‖g_s‖ - g_t / ‖g_t‖‖², with g the gradient of one logit by the input.

    The logit is that of the teacher's top class, as in the paper, whose term this is: equal to 2 - 2 cos(g_s, g_t). A
    gradient of zeros stays zero and passes a derivative of 0. Blind to the scale of both at any size: every gradient is
    first divided by its largest element, because its square could otherwise underflow.

    Args:
        s_gradient: (B, C, H, W), or any shape that begins with B; with a graph, where the student is to learn by it.
        t_gradient: The same shape.

    Returns:
        A scalar in [0, 4].
    """
    return (_unit(s_gradient) - _unit(t_gradient)).square().sum(dim=1).mean()


def _unit(gradient: Tensor) -> Tensor:
    rows = full_precision(gradient).flatten(1)
    # The unit vector does not depend on this factor, so that no derivative has to go through it.
    largest = rows.detach().abs().amax(dim=1, keepdim=True)
    seen = largest > torch.finfo(rows.dtype).tiny
    rows = rows * (seen / largest.where(seen, 1.0))
    return rows * rows.square().sum(dim=1, keepdim=True).where(seen, 1.0).rsqrt()


def _compare(part: GradientMatching, student: Tensor, teacher: Tensor, context: StepContext) -> Tensor:
    return gradient_matching(student, teacher)


SPEC = LOSS_SPECS.add(
    "gradient_matching",
    LossSpec(
        part=GradientMatching,
        kind="feature",
        inputs=GRADIENTS,
        compare=_compare,
        scale="bounded by 4; blind to the scale of both",
        zero_at_identity=True,
        paper="Srinivas & Fleuret 2018, arXiv:1803.00443",
        reference="the paper; no library has it",
        takes=CATEGORICAL,
    ),
)
