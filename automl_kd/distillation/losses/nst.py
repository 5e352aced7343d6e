"""Selectivity of neurons (NST; Huang & Wang 2017, arXiv:1707.01219)."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

from automl_kd.distillation.losses.inputs import MAPS
from automl_kd.distillation.losses.spec import LOSS_SPECS, LossSpec, StepContext
from automl_kd.distillation.losses.tensors import full_precision, pool_to_common
from automl_kd.recipes.losses import FeatureLoss


class NST(FeatureLoss):
    """Selectivity of neurons (Huang & Wang 2017, arXiv:1707.01219)."""


def nst(student: Tensor, teacher: Tensor) -> Tensor:
    """Squared maximum mean discrepancy between the channels of two maps under the kernel <x, y>².

    Channels are L2-normalised over their pixels: mean K_tt + mean K_ss - 2 mean K_st over all pairs of channels and the
    batch, as RepDistiller's ``NSTLoss``. The reference broadcasts a tensor of B x C x C' x HW; here the kernel is one
    batched matrix product. Where sizes differ the larger feature is pooled; channel counts need not agree.

    Args:
        student: Map (B, C, H, W).
        teacher: Map (B, C', H', W').

    Returns:
        A scalar.
    """
    s, t = (_channels(each) for each in pool_to_common(full_precision(student), full_precision(teacher)))
    return _kernel(t, t) + _kernel(s, s) - 2 * _kernel(s, t)


def _channels(features: Tensor) -> Tensor:
    return functional.normalize(features.flatten(2), dim=2)


def _kernel(x: Tensor, y: Tensor) -> Tensor:
    return (x @ y.transpose(1, 2)).square().mean()


def _compare(part: NST, student: Tensor, teacher: Tensor, context: StepContext) -> Tensor:
    return nst(student, teacher)


SPEC = LOSS_SPECS.add(
    "nst",
    LossSpec(
        part=NST,
        kind="feature",
        inputs=MAPS,
        compare=_compare,
        scale="bounded by 2; blind to the scale of both",
        zero_at_identity=True,
        paper="Huang & Wang 2017, arXiv:1707.01219",
        reference="RepDistiller NSTLoss",
        spatial=True,
    ),
)
