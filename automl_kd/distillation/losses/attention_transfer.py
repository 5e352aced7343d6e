"""Spatial attention (Zagoruyko & Komodakis 2017, arXiv:1612.03928)."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

from automl_kd.distillation.losses.energy import spatial_energy
from automl_kd.distillation.losses.inputs import MAPS
from automl_kd.distillation.losses.spec import LOSS_SPECS, LossSpec, StepContext
from automl_kd.distillation.losses.tensors import full_precision, pool_to_common
from automl_kd.recipes.losses import FeatureLoss


class AttentionTransfer(FeatureLoss):
    """Spatial attention maps (Zagoruyko & Komodakis 2017, arXiv:1612.03928)."""


def attention_transfer(student: Tensor, teacher: Tensor, *, squared: bool = True) -> Tensor:
    """Mean over (B, HW) of (Q_s - Q_t)², where Q is the L2-normalised mean over the channels of the squared map.

    This is the form of the authors' code and of RepDistiller's ``Attention`` with p = 2. The paper writes the norm of
    the difference without the square: the mean over B of ‖Q_s - Q_t‖, torchdistill's ``ATLoss`` in its mode "paper",
    here with a gradient of 0 where both agree. Where sizes differ the larger *feature* is pooled, before it is squared.
    Channel counts need not agree. A map of zeros has Q = 0, a finite loss and a gradient of 0.

    Args:
        student: Map (B, C, H, W).
        teacher: Map (B, C', H', W').
        squared: The form of the code; that of the paper otherwise.

    Returns:
        A scalar in [0, 2 / HW], in [0, √2] for the paper's form.
    """
    student, teacher = pool_to_common(full_precision(student), full_precision(teacher))
    ours, theirs = spatial_energy(student), spatial_energy(teacher)
    if squared:
        return functional.mse_loss(ours, theirs)
    squares = (ours - theirs).square().sum(dim=1)
    # The root has no gradient at zero.
    return squares.where(squares > 0, 1.0).sqrt().where(squares > 0, 0.0).mean()


def _compare(part: AttentionTransfer, student: Tensor, teacher: Tensor, context: StepContext) -> Tensor:
    return attention_transfer(student, teacher)


SPEC = LOSS_SPECS.add(
    "attention_transfer",
    LossSpec(
        part=AttentionTransfer,
        kind="attention",
        inputs=MAPS,
        compare=_compare,
        scale="bounded by 2 / HW; blind to the scale of both",
        zero_at_identity=True,
        paper="Zagoruyko & Komodakis 2017, arXiv:1612.03928",
        reference="RepDistiller Attention",
        spatial=True,
    ),
)
